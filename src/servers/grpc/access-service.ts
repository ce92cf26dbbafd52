/** AccessService: personal access. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs, durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { endOf } from "../../access/personal-access.ts";
import type { AccessService, PersonalAccessSchema } from "../../gen/lastro/v1/access_pb.ts";
import type { PersonalAccess } from "../../ports/store-state.ts";
import type { QueryDeps } from "../../query/deps.ts";
import { approvePersonalAccess, askPersonalAccess, listPersonalAccess } from "../../query/personal-access.ts";
import type { Handlers } from "./unary.ts";

function accessToWire(access: PersonalAccess): MessageInitShape<typeof PersonalAccessSchema> {
  const { id, callerId, reason, askedAtMs, forMs, approval } = access;
  const endsAtMs = endOf(access);
  return {
    id,
    callerId,
    reason,
    askedAt: timestampFromMs(askedAtMs),
    duration: durationFromMs(forMs),
    ...(approval && { approvedBy: approval.callerId, approvedAt: timestampFromMs(approval.atMs) }),
    ...(endsAtMs === undefined ? {} : { endsAt: timestampFromMs(endsAtMs) }),
  };
}

export const accessHandlers = (deps: QueryDeps): Handlers<typeof AccessService> => ({
  async askPersonalAccess({ reason, duration }, caller, signal) {
    const forMs = duration && durationMs(duration);
    return { access: accessToWire(await askPersonalAccess(deps, { reason, forMs }, caller, signal)) };
  },

  async approvePersonalAccess({ id }, caller, signal) {
    return { access: accessToWire(await approvePersonalAccess(deps, id, caller, signal)) };
  },

  async listPersonalAccess(_request, caller, signal) {
    return { access: (await listPersonalAccess(deps, caller, signal)).map(accessToWire) };
  },
});
