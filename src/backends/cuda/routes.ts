/**
 * Who computes products and convolutions: one of the ways in which libraries do it, or kernels of the source.
 *
 * The fastest by the device's own clock, where choices can be made: libraries guess by the shape alone, and guess badly for
 * small ones. Otherwise, as for a backend that only describes itself, that which a library thinks fastest; and our own
 * kernels compute what no library has.
 */
import { countKernel } from "../../compile/explain.js";
import type { Plan } from "../../compile/plan.js";
import type { ConvolutionLibrary, LibraryCall, ProductLibrary } from "./libraryCalls.js";
import {
  type LoneKernels,
  loneKernels,
  type OwnKernels,
  ownKernelsFor,
  type RoutedKernel,
} from "./loneKernels.js";
import type { ProductPrecision } from "./products.js";
import type { RouteChoice, RouteChoices } from "./routeChoices.js";
import { ownRoute, type RouteTimes, type TrialDevice, timeRoutes } from "./routeTrials.js";

export interface RoutesOptions {
  /** Absent: kernels of the source compute products, or convolutions. */
  readonly products?: ProductLibrary;
  readonly convolutions?: ConvolutionLibrary;
  /** Of our own products and convolutions of float32 that no plan rounds; default "float32". */
  readonly precision?: ProductPrecision;
  /** Absent: nothing is timed. */
  readonly choices?: RouteChoices;
}

export class Routes {
  /** Keys of kernels that no route worked for. */
  private readonly failed = new Set<string>();

  constructor(
    private readonly device: TrialDevice,
    private readonly options: RoutesOptions,
  ) {}

  /**
   * The library's call for a kernel; undefined: our own kernel computes it. What nobody chose yet is timed, with all others
   * of the plan.
   */
  callFor(kernel: RoutedKernel, plan: Plan): LibraryCall | undefined {
    const { choices } = this.options;
    const calls = this.callsFor(kernel, plan);
    if (calls.length === 0 || !choices) return calls[0];
    const key = this.keyOf(kernel, plan, calls);
    if (!choices.get(key) && choices.timing && !this.failed.has(key)) this.choose(plan, choices);
    const route = choices.get(key)?.route;
    return route === ownRoute ? undefined : (calls.find(({ name }) => name === route) ?? calls[0]);
  }

  /** Those of libraries, their first guess first. */
  private callsFor(kernel: RoutedKernel, plan: Plan): readonly LibraryCall[] {
    const { products, convolutions } = this.options;
    return (
      (kernel.kind === "gemm" ? products?.callsFor(kernel, plan) : convolutions?.callsFor(kernel, plan)) ?? []
    );
  }

  private keyOf(kernel: RoutedKernel, plan: Plan, calls: readonly LibraryCall[]): string {
    const lone = loneKernels([{ kernel, plan }]);
    const names = calls.map(({ name }) => name);
    return this.options.choices!.keyOf([lone.kernels, lone.plan.buffers, names, this.ownFor(lone).source]);
  }

  private ownFor(lone: LoneKernels): OwnKernels {
    return ownKernelsFor(lone, this.options.precision);
  }

  /** Chooses for all kernels of the plan that nobody chose for yet: our own of all of them are compiled at once. */
  private choose(plan: Plan, choices: RouteChoices): void {
    const open = new Map<string, RoutedKernel>();
    for (const { kernels } of Object.values(plan.entries)) {
      for (const kernel of kernels) {
        if (kernel.kind !== "gemm" && kernel.kind !== "convolution") continue;
        const calls = this.callsFor(kernel, plan);
        if (calls.length === 0) continue;
        const key = this.keyOf(kernel, plan, calls);
        if (!choices.get(key) && !this.failed.has(key)) open.set(key, kernel);
      }
    }
    const lone = loneKernels([...open.values()].map((kernel) => ({ kernel, plan })));
    const calls = lone.kernels.map((kernel) => this.callsFor(kernel, lone.plan));
    const times = timeRoutes(this.device, this.ownFor(lone), calls);
    for (const [i, key] of [...open.keys()].entries()) {
      if (times[i].ms.size > 0) choices.keep(key, choiceOf(lone.plan, lone.kernels[i], times[i]));
      else this.failed.add(key);
    }
  }
}

function choiceOf(plan: Plan, kernel: RoutedKernel, { ms, refused }: RouteTimes): Omit<RouteChoice, "on"> {
  const title = kernel.kind === "gemm" ? "product" : "convolution";
  const all = [...ms];
  const [route] = all.reduce((best, one) => (one[1] < best[1] ? one : best));
  return {
    computes: `${title} ${countKernel(plan, kernel).shape}`,
    route,
    us: Object.fromEntries(all.map(([name, time]) => [name, time * 1000])),
    refused: Object.fromEntries(refused),
  };
}
