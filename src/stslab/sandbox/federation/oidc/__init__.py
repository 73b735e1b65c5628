"""OpenID Connect: issuers, their servers' certificates, and the tokens that a lab gets."""
