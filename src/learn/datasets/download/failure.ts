/** What can go wrong between a server and a file, as errors that say what to do, and whether waiting may help. */
import { SlalomError } from "../../../base/errors.js";

export interface Failure {
  readonly error: SlalomError;
  /** Whether the next try may succeed. */
  readonly isPassing: boolean;
}

const elsewhere =
  "Or name another address, or a folder to which the file was brought by other means: slalom fetch NAME --from ADDRESS.";

/** The failure that an answer of the server is. */
export function statusFailure(url: string, status: number): Failure {
  const [meaning, remedy] =
    status === 404 || status === 410
      ? ["there is no such file", "Did it move?"]
      : status === 401 || status === 403
        ? ["access is refused", "Does the server want something else than a plain download?"]
        : status === 407
          ? [
              "the proxy wants a name and a password",
              "Give them in HTTPS_PROXY: http://user:password@host:port.",
            ]
          : status === 429 || status >= 500
            ? ["the server can't answer now", "Try again later: what has arrived is kept."]
            : ["no answer that a download has", "Is the address right?"];
  return failure(`${url}: received HTTP ${status}, ${meaning}; expected the file.`, remedy, {
    isPassing: status === 429 || status >= 500,
  });
}

/** The failure that ended a connection, or kept one from being made. */
export function networkFailure(url: string, cause: unknown): Failure {
  const { code = "", message } = cause as NodeJS.ErrnoException;
  // The proxy's own answer, which undici tells in words.
  const answer = /^Proxy \D*\((\d{3})\)/.exec(message);
  if (answer) return statusFailure(url, Number(answer[1]));
  const { host } = new URL(url);
  if (["ENOTFOUND", "EAI_AGAIN"].includes(code)) {
    return failure(
      `${url}: received no address for ${host} (${code}); expected one.`,
      "Is there a network? Behind a proxy set HTTPS_PROXY.",
      { isPassing: code === "EAI_AGAIN", cause },
    );
  }
  if (/^(ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|UND_ERR_CONNECT_TIMEOUT)$/.test(code)) {
    return failure(
      `${url}: received no connection to ${host} (${message || code}); expected one.`,
      "Is there a network? Behind a proxy set HTTPS_PROXY, and see that it is reachable.",
      { isPassing: true, cause },
    );
  }
  if (/CERT|TLS|SSL/.test(code)) {
    return failure(
      `${url}: received a connection that is not secure (${code}: ${message}); expected a valid certificate.`,
      "Is the clock right? A proxy that opens connections wants its certificate in NODE_EXTRA_CA_CERTS.",
      { isPassing: false, cause },
    );
  }
  return failure(
    `${url}: received a broken connection (${code || message}); expected the rest of the file.`,
    "Try again: what has arrived is kept.",
    { isPassing: true, cause },
  );
}

/** A file of another length than the original's: an error page, or another version. */
export const lengthFailure = (url: string, received: number | string, expected: number): Failure =>
  failure(
    `${url}: received a file of ${received} bytes; expected ${expected}.`,
    "It is not the original: an error page, or another version?",
    { isPassing: false },
  );

/** A disk that does not take what it is given. */
export function diskFailure(path: string, cause: unknown): SlalomError {
  if (cause instanceof SlalomError) return cause;
  const { code = "", message } = cause as NodeJS.ErrnoException;
  const [reason, remedy] =
    code === "ENOSPC" || code === "EDQUOT"
      ? ["the disk or quota is full", "Free some space and start again: what has arrived is kept."]
      : code === "EACCES" || code === "EPERM" || code === "EROFS"
        ? ["no permission, or a read-only file system", "Name a folder that you may write: --cache FOLDER."]
        : code === "ENOTDIR" || code === "EEXIST"
          ? ["a file stands where a folder is expected", "Name another folder: --cache FOLDER."]
          : [message, "Name another folder: --cache FOLDER."];
  return new SlalomError("data", `can't write "${path}": ${reason}. ${remedy}`, { cause });
}

function failure(
  what: string,
  remedy: string,
  { isPassing, cause }: { readonly isPassing: boolean; readonly cause?: unknown },
): Failure {
  const error = new SlalomError("data", `${what} ${remedy} ${elsewhere}`, { cause });
  return { error, isPassing };
}
