"""`planoai demo`: the gateway at work on this machine, with simulated providers and without any key."""
