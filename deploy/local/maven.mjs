/** Jars of Maven Central, with all that they need, fetched once by Maven into the cache; it checks what it fetched against the registry's checksums. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun } from "./child.mjs";
import { cached, findProgram } from "./programs.mjs";

/** @typedef {readonly [group: string, artifact: string, version: string]} Artifact */

/** What a JVM logs through, for servers that bring only its interface. @type {Artifact} */
export const logging = ["org.apache.logging.log4j", "log4j-slf4j-impl", "2.24.3"];

/** @param {Artifact} artifact */
const dependency = ([group, artifact, version]) =>
  `    <dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`;

/** @param {readonly Artifact[]} artifacts */
const pom = (artifacts) => `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>lastro</groupId><artifactId>jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
${artifacts.map(dependency).join("\n")}
  </dependencies>
</project>
`;

const plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1";

/** @param {string} what */
function needMaven(what) {
  if (findProgram("mvn") === undefined)
    throw new Error(
      `${what} is fetched by Maven, and there is no mvn on the PATH: install it, on Debian as root: apt-get install maven`,
    );
}

/**
 * @param {{ entry: string, what: string, megabytes: number, artifacts: readonly Artifact[] }} wanted `entry`: its name in the cache
 * @param {(line: string) => void} log @returns {Promise<string>} the folder of the jars
 */
export async function mavenJars({ entry, what, megabytes, artifacts }, log) {
  const dir = await cached(entry, async (draft) => {
    needMaven(what);
    log(`${what}: fetching its jars with Maven (about ${megabytes} MB, once) …`);
    writeFileSync(join(draft, "pom.xml"), pom(artifacts));
    await mustRun("mvn", [
      "-B",
      "-q",
      "--strict-checksums",
      "-f",
      join(draft, "pom.xml"),
      `${plugin}:copy-dependencies`,
      "-DincludeScope=runtime",
      `-DoutputDirectory=${join(draft, "libs")}`,
    ]);
  });
  return join(dir, "libs");
}

/**
 * An archive, unpacked. @param {{ entry: string, what: string, megabytes: number, artifact: Artifact, prepare: (dir: string) => Promise<unknown> }} wanted
 * `prepare`: what is done to it once, before it is kept
 * @param {(line: string) => void} log @returns {Promise<string>} the folder of what was in it
 */
export async function mavenArchive({ entry, what, megabytes, artifact, prepare }, log) {
  const [group, name, version] = artifact;
  const dir = await cached(entry, async (draft) => {
    needMaven(what);
    log(`${what}: fetching it with Maven (about ${megabytes} MB, once) …`);
    const from = `-Dartifact=${group}:${name}:${version}:zip`;
    await mustRun(
      "mvn",
      ["-B", "-q", "--strict-checksums", `${plugin}:unpack`, from, `-DoutputDirectory=${draft}`],
      {
        cwd: draft,
      },
    );
    await prepare(draft);
  });
  return dir;
}
