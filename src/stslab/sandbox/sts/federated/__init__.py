"""Sessions on the word of an identity provider: OpenID Connect and SAML."""
