"""The protocols of providers: pure builders of JSON bodies and of the events of streams."""
