"""brightstaff: the data plane service of Plano. Decides every request that Envoy forwards (gRPC ext_proc)."""
