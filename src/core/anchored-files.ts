/** How anchored checkpoints lie in a folder: `<origin, percent-encoded>/<size, 16 digits>.checkpoint`, a signed note; a time stamp of that file (RFC 3161, TimeStampResp) is the file `.tsr` behind it. */
export const checkpointSuffix = ".checkpoint";
const sizeDigits = 16;

/** With `/` between folder and file. */
export const anchoredFile = (origin: string, size: number): string =>
  `${encodeURIComponent(origin)}/${String(size).padStart(sizeDigits, "0")}${checkpointSuffix}`;

export const timeStampFile = (checkpointFile: string): string => `${checkpointFile}.tsr`;
