"""SAML 2.0: metadata and assertions read and verified, and the providers that a lab can have.

What reads or writes XML imports lxml and signxml, and is imported only where that is asked for.
"""
