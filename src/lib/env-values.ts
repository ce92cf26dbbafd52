/** Values as they are written in environment variables: text in, typed value or a sentence out. Errors never repeat the text. */
import ipaddr from "ipaddr.js";
import * as z from "zod";

export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,16}$/, "must be a whole number, digits only")
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`);

export const share = (min: number, max: number) =>
  z
    .string()
    .regex(/^(?:0|1)(?:\.\d{1,9})?$/, "must be a number such as 0.5")
    .transform(Number)
    .refine((value) => value >= min && value <= max, `must be from ${min} to ${max}`);

export const onOff = z
  .enum(["on", "off", "true", "false"], "must be on or off")
  .transform((text) => text === "on" || text === "true");

export const list = z.string().transform((text) =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== ""),
);

const portMax = 65_535;
const hostPortForm = /^(\[[0-9a-fA-F:.]+\]|[^\s:[\]/@]+):(\d{1,5})$/;

export type HostPort = { readonly host: string; readonly port: number };

export function parseHostPort(text: string): HostPort | undefined {
  const [, host = "", port = ""] = hostPortForm.exec(text) ?? [];
  if (host === "" || Number(port) > portMax) return undefined;
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

/** As parseHostPort reads it. */
export const hostPortText = ({ host, port }: HostPort): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;

/** Port 0 lets the system choose. */
export const hostPort = z.string().transform((text, context): HostPort => {
  const parsed = parseHostPort(text);
  if (parsed !== undefined) return parsed;
  context.addIssue("must be host:port, for example 127.0.0.1:8080 or [::1]:8080");
  return z.NEVER;
});

/** Whether only this machine can reach a listener there. */
export const isLoopback = ({ host }: HostPort): boolean =>
  host === "localhost" || (ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback");

/** Whether nobody on the way can answer in the place of who is asked there. */
export function isPrivateEnough(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || isLoopback({ host: hostname.replace(/^\[|\]$/g, ""), port: 0 });
}

/** A URL without user, password and options, for people to read. */
export const withoutSecrets = (url: string): string => {
  const [, scheme = "", rest = ""] = /^([a-z][a-z0-9+.-]*:(?:\/\/)?)(.*)$/is.exec(url) ?? [];
  return scheme === "" ? "(hidden)" : scheme + rest.slice(rest.lastIndexOf("@") + 1).replace(/[?#].*$/s, "");
};
