"""Set-up of integrations and sources: by a person, by the configuration file, by a set-up link."""
