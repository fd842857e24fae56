"""Forward authorisation: another edge has the request, asks the gateway, and forwards it only if told so.

Here nothing is forwarded, so no outcome is reported; and the token of an allowed request is burned, whether the edge
forwards it afterwards or not.
"""
