/** What can go wrong between a server and a file, as errors that say what to do, and whether waiting may help. */
import { SlalomError } from "../../../base/errors.js";

export interface Failure {
  /** What came in place of the file, in a few words. */
  readonly received: string;
  readonly error: SlalomError;
  /** Whether the next try may succeed. */
  readonly isPassing: boolean;
}

/** The failure that an answer of the server is. */
export function statusFailure(url: string, status: number): Failure {
  const [meaning, remedy] = meaningOf(status);
  const isPassing = status === 429 || status >= 500;
  return failure(url, `HTTP ${status}, ${meaning}`, { expected: "the file", remedy, isPassing });
}

function meaningOf(status: number): [meaning: string, remedy: string] {
  if (status === 404 || status === 410) return ["there is no such file", "Did it move?"];
  if (status === 401 || status === 403) {
    return ["access is refused", "Does the server want something else than a plain download?"];
  }
  if (status === 407) {
    return [
      "the proxy wants a name and a password",
      "Give them in HTTPS_PROXY and HTTP_PROXY: http://user:password@host:port.",
    ];
  }
  if (status === 429 || status >= 500) {
    return ["the server can't answer now", "Try again later: what has arrived is kept."];
  }
  return ["no answer that a download has", "Is the address right?"];
}

/** The failure that ended a connection, or kept one from being made. */
export function networkFailure(url: string, cause: unknown): Failure {
  const { code = "", message } = cause as NodeJS.ErrnoException;
  // The proxy's own answer, which undici tells in words.
  const answer = /^Proxy \D*\((\d{3})\)/.exec(message);
  if (answer) return statusFailure(url, Number(answer[1]));
  const { host } = new URL(url);
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") {
    return failure(url, `no address for ${host} (${code})`, {
      expected: "one",
      remedy: "Is there a network? Behind a proxy set HTTPS_PROXY and HTTP_PROXY.",
      isPassing: code === "EAI_AGAIN",
      cause,
    });
  }
  if (/^(ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|UND_ERR_CONNECT_TIMEOUT)$/.test(code)) {
    return failure(url, `no connection to ${host} (${message || code})`, {
      expected: "one",
      remedy: "Is there a network? Behind a proxy set HTTPS_PROXY and HTTP_PROXY.",
      isPassing: true,
      cause,
    });
  }
  if (/CERT|TLS|SSL/.test(code)) {
    return failure(url, `a connection that is not secure (${code}: ${message})`, {
      expected: "a valid certificate",
      remedy:
        "Is the clock right? A proxy that opens connections wants its certificate in NODE_EXTRA_CA_CERTS.",
      isPassing: false,
      cause,
    });
  }
  return failure(url, `a broken connection (${message || code})`, {
    expected: "the rest of the file",
    remedy: "Try again: what has arrived is kept.",
    isPassing: true,
    cause,
  });
}

/** A file of another length than the original's: an error page, or another version. */
export const lengthFailure = (url: string, received: number | string, expected: number): Failure =>
  failure(url, `a file of ${received} bytes`, {
    expected: `${expected}`,
    remedy: "It is not the original: an error page, or another version?",
    isPassing: false,
  });

interface FailureDetails {
  readonly expected: string;
  readonly remedy: string;
  readonly isPassing: boolean;
  readonly cause?: unknown;
}

function failure(
  url: string,
  received: string,
  { expected, remedy, isPassing, cause }: FailureDetails,
): Failure {
  const message = `${url}: received ${received}; expected ${expected}. ${remedy} ${elsewhere}`;
  return { received, error: new SlalomError("data", message, { cause }), isPassing };
}

const elsewhere =
  "Or name another address, or a folder to which the file was brought by other means: slalom fetch NAME --from ADDRESS.";

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
