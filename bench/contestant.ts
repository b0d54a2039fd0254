/** A contestant: a process that gets ready, then answers each request with a timed sample. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Found, findLauncher, launchEnvironment } from "./launcher.js";
import type { ContestantSpec, Ready, Sample, Workload } from "./specification.js";

export interface ContestantPlaces {
  readonly python: string;
  /** Folder of MNIST as raw files. */
  readonly data: string;
  /** Who is not ready within so many seconds is absent; by default all are waited for. */
  readonly patienceS?: number;
}

/** A contestant that runs, or the reason why it does not. */
export type Started = { readonly contestant: Contestant } | { readonly absent: string };

/** The processes of one contestant, one for each copy. */
export class Contestant {
  private constructor(
    readonly spec: ContestantSpec,
    readonly ready: Ready,
    private readonly processes: readonly LineProcess[],
  ) {}

  static async start(spec: ContestantSpec, workload: Workload, places: ContestantPlaces): Promise<Started> {
    const argument = (copy: number): string =>
      JSON.stringify({ ...workload, ...spec, copy, data: places.data });
    const started = commandOf(spec, places);
    if ("absent" in started) return started;
    const [command, ...args] = started;
    const processes = Array.from(
      { length: spec.copies ?? 1 },
      (_, copy) => new LineProcess(command, [...args, argument(copy)], launchEnvironment),
    );
    const answers = await Promise.all(
      processes.map((process) =>
        process.next(places.patienceS).catch((error: Error): Answer => ({ absent: reasonOf(error) })),
      ),
    );
    const [first] = answers;
    const reason = answers.map((answer) => absence(answer)).find((text) => text !== undefined);
    if (reason === undefined)
      return { contestant: new Contestant(spec, first as unknown as Ready, processes) };
    for (const process of processes) process.end();
    return { absent: reason };
  }

  /** One sample of `chunks` chunks; of all copies at once, whose steps are added. */
  async sample(chunks: number, withinS?: number): Promise<Sample> {
    const answers = await Promise.all(this.processes.map((process) => process.ask(`run ${chunks}`, withinS)));
    const samples = answers as unknown as Sample[];
    return {
      seconds: Math.max(...samples.map(({ seconds }) => seconds)),
      steps: samples.reduce((sum, { steps }) => sum + steps, 0),
      accuracies: samples.flatMap(({ accuracies = [] }) => accuracies),
    };
  }

  end(): void {
    for (const process of this.processes) process.end();
  }
}

const here = fileURLToPath(new URL(".", import.meta.url));

function commandOf(
  { library, processes }: ContestantSpec,
  { python }: ContestantPlaces,
): Found<readonly string[]> {
  switch (library) {
    case "slalom": {
      const own = [process.execPath, `${here}run.js`, "slalom"];
      if (processes === undefined) return own;
      const launcher = findLauncher();
      return "absent" in launcher ? launcher : [...launcher.command(processes), ...own];
    }
    case "torch":
    case "jax":
      return [python, `${here}peers/${library}_peer.py`];
    case "tfjs":
    case "jaxjs":
      return [process.execPath, `${here}peers/${library}_peer.mjs`];
  }
}

type Answer = Readonly<Record<string, unknown>>;

const absence = (answer: Answer): string | undefined =>
  "absent" in answer ? String(answer.absent) : undefined;

/** What a process that ended complained of, in one line. */
export function reasonOf({ message }: Error): string {
  const lines = message.split("\n");
  return (lines.findLast((line) => /^\s*(\w+\.)*\w*Error\b/.test(line)) ?? lines.at(-1)!).trim();
}

/** A child process that speaks JSON, a line at a time. */
export class LineProcess {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  /** How it ended, once its last words are here. */
  private readonly closed: Promise<string>;
  private complaint = "";

  constructor(
    command: string,
    private readonly args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ) {
    this.child = spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    this.child.on("error", (error) => {
      this.complaint += error.message;
    });
    this.child.stdin!.on("error", () => {});
    this.child.stderr!.on("data", (data) => {
      this.complaint = (this.complaint + data).slice(-2000);
    });
    this.closed = new Promise((resolve) => {
      this.child.on("close", (code, signal) => resolve(signal ?? `code ${code}`));
    });
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  /**
   * The next line that is a JSON object.
   * @throws where the process ends before, with what it wrote to standard error; or where it takes more than so many
   *   seconds, after which it is ended
   */
  async next(withinS?: number): Promise<Answer> {
    if (withinS === undefined) return this.nextAnswer();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.end();
        reject(new Error(`no answer within ${Number(withinS.toPrecision(2))} s`));
      }, withinS * 1000);
    });
    try {
      return await Promise.race([this.nextAnswer(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async nextAnswer(): Promise<Answer> {
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done) {
        const ended = await this.closed;
        const program = this.args.slice(0, 2).join(" ");
        throw new Error(
          `${program} ended with ${ended}:\n${this.complaint.trim() || "it ended without a word"}`,
        );
      }
      if (value.startsWith("{")) return JSON.parse(value);
    }
  }

  ask(line: string, withinS?: number): Promise<Answer> {
    this.child.stdin!.write(`${line}\n`);
    return this.next(withinS);
  }

  end(): void {
    this.child.stdin!.end();
    this.child.kill();
  }
}
