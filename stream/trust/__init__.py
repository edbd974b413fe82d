"""Keys, certificates and trust: who signs, whose signatures count, and when.

pem, der        text and binary encodings, as far as certificates need them
names           one-line form of distinguished names
certificates    the certificates of signers and authorities
signers         making and checking signature values
anchors         the certificates a caller trusts, and what may take that trust away
revocation      certificate revocation lists
directories     certificates and lists in files named after hashes
paths           chains from a signer to an anchor (the only module that loads pyOpenSSL)
past            who was trusted at a moment that is over, though revoked since
dates           the date of a signature against the validity of its certificate
"""
