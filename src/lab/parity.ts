/**
 * Whether two trainings differ by rounding alone, quantity by quantity: the differences of their stretches, held against
 * those of a training that only rounds otherwise.
 */
import { names } from "../train/names.js";
import type { Differences } from "./stretches.js";

export interface ParityQuantity {
  /** As people name it: "loss", "dense1.weight", "velocity of dense1.weight". */
  readonly name: string;
  /** What stretches differ by: the lower quartile. Relative to the loss, or to what a stretch changes. */
  readonly difference: number;
  /** What rounding makes of them: the upper quartile. */
  readonly rounding: number;
  /** How much `difference` may be. */
  readonly bound: number;
  /** The stretch that differs most. */
  readonly most: number;
  /** How much any one may. */
  readonly mostBound: number;
}

/** How many times the effect of rounding ranks may differ: they round at other places too, in products of other shapes. */
const tolerance = 8;

/**
 * How much more a single stretch may differ. Rounding turns a switch over now and then: an element that a ReLU or a
 * maximum just takes or leaves, a gradient of either sign that Adam makes as large as any.
 */
const excursion = 0.05;

/** A quantity whose bound is above this is decided by rounding: a mistake would not show in it. */
const meaningful = 0.05;

/**
 * Each quantity of `differences`, those first that go farthest beyond their bound or come nearest to it.
 * @param unit of the last place, relative to a number: rounding is never taken for less
 */
export function parityOf(differences: Differences, rounding: Differences, unit: number): ParityQuantity[] {
  const quantities = [...differences].map(([variable, own]): ParityQuantity => {
    const rounded = rounding.get(variable)!;
    const typical = Math.max(orderStatistic(rounded, 0.75), unit);
    return {
      name: nameOf(variable),
      difference: orderStatistic(own, 0.25),
      rounding: typical,
      bound: tolerance * typical,
      most: Math.max(...own),
      mostBound: tolerance * Math.max(...rounded) + excursion,
    };
  });
  return quantities.sort((a, b) => nearness(b) - nearness(a));
}

/** Whether a mistake would show in it. */
export const isTelling = ({ bound }: ParityQuantity): boolean => bound <= meaningful;

/** Whether it is no farther off than rounding makes it, or tells nothing. */
export const isWithin = (quantity: ParityQuantity): boolean => nearness(quantity) <= 1;

/** 1 where it is at its bound; 0 where it tells nothing. */
export const nearness = (quantity: ParityQuantity): number => {
  const { difference, bound, most, mostBound } = quantity;
  return isTelling(quantity) ? Math.max(difference / bound, most / mostBound) : 0;
};

/** The element that has a share of the others below it, towards the end that is nearer: no number between two. */
function orderStatistic(values: readonly number[], share: number): number {
  const place = share * (values.length - 1);
  return [...values].sort((a, b) => a - b)[share < 0.5 ? Math.floor(place) : Math.ceil(place)];
}

/** What a variable of a program is called. */
function nameOf(variable: string): string {
  const own = variable.slice(variable.indexOf("/") + 1);
  const last = own.lastIndexOf("/");
  if (variable === names.average(own)) return `average of ${own}`;
  const [parameter, slot] = [own.slice(0, last), own.slice(last + 1)];
  return variable === names.slot(parameter, slot) ? `${slot} of ${parameter}` : own;
}
