"""Local language models for the `llama` router: which there are, how they are downloaded, which are here."""
