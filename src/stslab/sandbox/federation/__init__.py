"""Identity providers outside the account: OpenID Connect and SAML."""
