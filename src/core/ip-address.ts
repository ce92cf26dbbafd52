/** IP addresses in their strict textual forms. Octal, decimal and short forms, zones, ports and lists are refused. */
import ipaddr from "ipaddr.js";

const octet = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const ipv4 = new RegExp(`^${octet}(?:\\.${octet}){3}$`);
/** Hexadecimal groups, the last two of which may be a strict IPv4 address; the library then counts the groups. */
const ipv6 = new RegExp(`^[0-9a-fA-F:]{2,39}(?:(?<=:)${octet}(?:\\.${octet}){3})?$`);
/** `::1.2.3.4` is deprecated (RFC 4291) and the library takes it for the IPv4 address, which it is not. */
const ipv4Compatible = /^::\d+\./;

/** RFC 5952 text, an IPv4-mapped IPv6 address as the IPv4 address; undefined when the text is no address. */
export function normaliseIp(text: string): string | undefined {
  if (ipv4.test(text)) return text;
  if (!ipv6.test(text) || ipv4Compatible.test(text) || !ipaddr.IPv6.isValid(text)) return undefined;
  const address = ipaddr.IPv6.parse(text);
  return address.isIPv4MappedAddress() ? address.toIPv4Address().toString() : address.toRFC5952String();
}
