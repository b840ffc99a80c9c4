# SPDX-License-Identifier: AGPL-3.0-or-later
"""Whom TLS believes, for whoever asks over the network: clients and the server that asks its witnesses."""

import ssl

import httpx


def trusted(url: httpx.URL) -> ssl.SSLContext:
    """The public authorities for https://, nobody at all for http://, which is most of what is asked (onion addresses)
    and where reading the authorities would be most of a request's work."""
    if url.scheme == "https":
        return httpx.create_ssl_context(trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
