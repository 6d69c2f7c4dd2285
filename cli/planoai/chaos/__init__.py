"""`planoai chaos`: what clients would see if the channels of a configuration failed."""
