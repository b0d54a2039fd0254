/** `slalom fetch`: a data set's files, downloaded into the cache. */
import { join } from "node:path";
import { defaultCache, fetchDataset, findDataset } from "../learn/datasets/index.js";
import { listed } from "../report/words.js";
import { downloadView } from "./downloadProgress.js";
import { exitCodes } from "./exit.js";
import { listenForInterrupt } from "./interrupt.js";
import type { Output } from "./output.js";

export interface FetchWish {
  readonly cache?: string;
  readonly from?: string;
}

export async function fetchNamed(name: string, { cache, from }: FetchWish, output: Output): Promise<number> {
  const source = findDataset(name);
  if (source.published === undefined) {
    output.result({ name, downloaded: [] });
    output.text(`${name} is made from a formula and a seed: there is nothing to fetch.`);
    return exitCodes.success;
  }
  const view = downloadView(output);
  const interrupt = listenForInterrupt(view.stopping);
  try {
    const { signal } = interrupt;
    const { folder, downloaded } = await fetchDataset(source, {
      ...(cache !== undefined && { cache }),
      ...(from !== undefined && { from }),
      signal,
      proxy: proxyOf(process.env),
      onProgress: view.show,
      onRetry: view.retry,
    });
    view.end();
    output.result({ name, folder, downloaded });
    const what = downloaded.length === 0 ? "was there already" : `now is there (${listed(downloaded)})`;
    output.text(`${name} ${what}: ${folder}`);
    if (cache !== undefined && folder !== join(defaultCache(), name)) {
      output.text(`Name this folder where you use it: { folder: ${JSON.stringify(folder)} }`);
    }
    return exitCodes.success;
  } catch (error) {
    view.end();
    if (!interrupt.signal.aborted) throw error;
    output.result({ name, status: "interrupted" });
    output.note("What has arrived is kept; the same command goes on from there.");
    return interrupt.exitCode();
  } finally {
    interrupt.release();
  }
}

/** Where both are set small letters win, as curl has it. */
function proxyOf(env: Readonly<Record<string, string | undefined>>) {
  return {
    http: env.http_proxy ?? env.HTTP_PROXY,
    https: env.https_proxy ?? env.HTTPS_PROXY,
    none: env.no_proxy ?? env.NO_PROXY,
  };
}
