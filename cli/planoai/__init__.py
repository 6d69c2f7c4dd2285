"""planoai: the control plane of Plano. Compiles config.yaml into Envoy resources and supervises the processes."""

__version__ = "0.5.0"
