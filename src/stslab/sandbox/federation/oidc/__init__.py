"""OpenID Connect: the issuers whose tokens a lab can have, and the check of such tokens."""
