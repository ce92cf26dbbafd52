/** IdentityService: who asks, and tokens that lend a part of it. */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { lending, type ViewerTokens } from "../../access/viewer-tokens.ts";
import type { Watch } from "../../access/watch.ts";
import { LastroError } from "../../core/errors.ts";
import type { IdentityService } from "../../gen/lastro/v1/identity_pb.ts";
import { callerToWire, grantToWire, viewerRequestFromWire } from "../wire-identity.ts";
import type { Handlers } from "./unary.ts";

export const identityHandlers = (
  viewers: Pick<ViewerTokens, "make">,
  watch: Pick<Watch, "act" | "denied">,
): Handlers<typeof IdentityService> => ({
  async getCaller(_request, caller) {
    return callerToWire(caller);
  },

  async createViewerToken(request, caller, signal) {
    const asked = viewerRequestFromWire(request);
    const made = await viewers.make(asked, caller).catch((error: unknown) => {
      if (error instanceof LastroError && error.code === "PERMISSION_DENIED")
        watch.denied(caller, "CreateViewerToken");
      throw error;
    });
    await watch.act(caller, lending(made), signal);
    const { token, expiresAtMs, grants } = made;
    return { token, expireTime: timestampFromMs(expiresAtMs), grants: grants.map(grantToWire) };
  },
});
