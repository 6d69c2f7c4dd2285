"""The commands of planoai, one module each; `planoai.main` imports a module only when its command is called."""
