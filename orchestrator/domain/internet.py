"""Which addresses Podium speaks with on a stranger's word: webhooks, imports; and which addresses are one stranger's. Pure;
looking names up, once, and connecting to nothing else is for those who call."""

import ipaddress

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an IP address is somebody's on the internet: not this machine, not a private network, no link-local or
    metadata address, nor one of these in the clothes of IPv6."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def subject(address: str) -> str:
    """Who is counted where somebody may do a thing so often: an IPv4 address, or the /64 that one IPv6 visitor usually owns
    whole."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(parsed.ipv4_mapped) if parsed.ipv4_mapped is not None else parsed.exploded[:19]
