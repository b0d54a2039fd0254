/** The plan of a training step as text: what is fused, what is stored, what is updated in place. */
import { describe, expect, test } from "vitest";
import { kernelEffects } from "../../src/compile/kernelEffects.js";
import type { Plan } from "../../src/compile/plan.js";
import { planProgram } from "../../src/compile/planProgram.js";
import { sourceOf } from "../../src/learn/datasets/dataset.js";
import { classification } from "../../src/learn/datasets/index.js";
import { softmaxRegression } from "../../src/learn/models/index.js";
import { adam, momentum, type OptimizerChoice, sgd } from "../../src/learn/optimizers/index.js";
import { classificationProblem } from "../../src/learn/problems/index.js";
import { laneProgram, stepEntry } from "../../src/train/index.js";
import { classifying } from "../train/support.js";
import { formatEntry } from "./support.js";

/** Softmax regression with 4 lanes on images of 784 bytes in 10 classes, batch 100. */
async function softmaxPlan(choice: OptimizerChoice): Promise<Plan> {
  const count = 200;
  const dataset = classification({
    name: "images",
    inputs: { shape: [count, 784], dtype: "uint8", data: new Uint8Array(count * 784) },
    targets: Uint8Array.from({ length: count }, (_, i) => i % 10),
    classes: 10,
    scale: 1 / 255,
  });
  const training = await classifying(choice, {
    dataset,
    problem: classificationProblem({ dataset: sourceOf(dataset), model: softmaxRegression() }),
    batchSize: 100,
    evaluate: [],
  });
  return planProgram(laneProgram(training, 4).program, { check: true });
}

const productsOf = (plan: Plan): number[][] =>
  plan.entries[stepEntry].kernels.flatMap((kernel) =>
    kernel.kind === "gemm" ? [[kernel.m, kernel.n, kernel.k, ...kernel.batch]] : [],
  );

describe("softmax regression with 4 lanes", () => {
  test("by gradient descent", async () => {
    expect(formatEntry(await softmaxPlan(sgd()), stepEntry)).toMatchInlineSnapshot(`
      "loop once [add floorDivide remainder mul]: step -> step, t0 i32[], t1 i32[]
      loop 2 [mul add randomBits]: key/order, t0 -> t2 i32[2]
      loop 1 [copy]: t2 -> t3 i32[1]
      loop 1 [copy]: t2 -> t4 i32[1]
      loop 100 [add permute]: t3, t4, t1 -> t5 i32[100]
      loop 100 [gather cast]: t5, train/targets -> t6 i32[100]
      loop 100x10 [equal where]: t6 -> t7 u8[100,10], t8 f32[100,10]
      loop 100x784 [gather cast mul]: t5, train/inputs -> t9 f32[100,784]
      gemm 100x40x784: t9, parameter/dense1.weight -> t10 f32[100,4,10]
      loop 100x4x(10) [add max]: t10, parameter/dense1.bias -> t11 f32[100,4]
      loop 100x4x(10) [add sub exp where sum]: t10, parameter/dense1.bias, t11, t7 -> t12 f32[100,4,10], t13 f32[100,4], t14 f32[100,4]
      loop (100)x4x10 [div mul add sum]: t8, t13, t12 -> t15 f32[100,4,10], t16 f32[4,10]
      gemm 40x784x100: t15, t9 -> t17 f32[4,10,784]
      loop 4x10x784 [mul add sub]: parameter/dense1.weight, t17, hyper/weightDecay, hyper/lr -> parameter/dense1.weight
      loop 4x10 [mul add sub]: parameter/dense1.bias, t16, hyper/weightDecay, hyper/lr -> parameter/dense1.bias
      loop (100)x4 [log sub sum]: t13, t14 -> t18 f32[4]
      loop 4 [div]: t18 -> t19 f32[4]
      trace loss <- t19"
    `);
  });

  test("by Adam", async () => {
    expect(formatEntry(await softmaxPlan(adam()), stepEntry)).toMatchInlineSnapshot(`
      "loop 4 [sub neg log1p cast add mul tanh div rsqrt]: hyper/beta2, step -> t0 f32[4]
      loop 4 [sub neg log1p cast add mul tanh div]: hyper/lr, hyper/beta1, step -> t1 f32[4]
      loop once [add floorDivide remainder mul]: step -> step, t2 i32[], t3 i32[]
      loop 2 [mul add randomBits]: key/order, t2 -> t4 i32[2]
      loop 1 [copy]: t4 -> t5 i32[1]
      loop 1 [copy]: t4 -> t6 i32[1]
      loop 100 [add permute]: t5, t6, t3 -> t7 i32[100]
      loop 100 [gather cast]: t7, train/targets -> t8 i32[100]
      loop 100x10 [equal where]: t8 -> t9 u8[100,10], t10 f32[100,10]
      loop 100x784 [gather cast mul]: t7, train/inputs -> t11 f32[100,784]
      gemm 100x40x784: t11, parameter/dense1.weight -> t12 f32[100,4,10]
      loop 100x4x(10) [add max]: t12, parameter/dense1.bias -> t13 f32[100,4]
      loop 100x4x(10) [add sub exp where sum]: t12, parameter/dense1.bias, t13, t9 -> t14 f32[100,4,10], t15 f32[100,4], t16 f32[100,4]
      loop (100)x4x10 [div mul add sum]: t10, t15, t14 -> t17 f32[100,4,10], t18 f32[4,10]
      gemm 40x784x100: t17, t11 -> t19 f32[4,10,784]
      loop 4x10x784 [mul add sub sqrt div]: slot/dense1.weight/firstMoment, hyper/beta1, t19, parameter/dense1.weight, hyper/weightDecay, slot/dense1.weight/secondMoment, hyper/beta2, t0, hyper/eps, t1 -> slot/dense1.weight/firstMoment, slot/dense1.weight/secondMoment, parameter/dense1.weight
      loop 4x10 [mul add sub sqrt div]: slot/dense1.bias/firstMoment, hyper/beta1, t18, parameter/dense1.bias, hyper/weightDecay, slot/dense1.bias/secondMoment, hyper/beta2, t0, hyper/eps, t1 -> slot/dense1.bias/firstMoment, slot/dense1.bias/secondMoment, parameter/dense1.bias
      loop (100)x4 [log sub sum]: t15, t16 -> t20 f32[4]
      loop 4 [div]: t20 -> t21 f32[4]
      trace loss <- t21"
    `);
  });

  test.each([sgd(), momentum(), adam()].map((choice) => [choice.optimizer.id, choice] as const))(
    "%s: lanes side by side in one product, updates in place, one kernel a parameter tensor",
    async (_, choice) => {
      const plan = await softmaxPlan(choice);
      expect(productsOf(plan).map((sizes) => [...sizes].sort((a, b) => a - b))).toEqual([
        [40, 100, 784],
        [40, 100, 784],
      ]);
      const { kernels } = plan.entries[stepEntry];
      expect(kernels.filter(({ name }) => /^(update|keep) /.test(name))).toEqual([]);
      const writers = new Map<string, number[]>();
      kernels.forEach((kernel, i) => {
        for (const number of kernelEffects(kernel).writes) {
          const { name, role } = plan.buffers[number];
          if (role === "state") writers.set(name, [...(writers.get(name) ?? []), i]);
        }
      });
      const states = plan.buffers.flatMap(({ role, name }) =>
        role === "state" && !name.startsWith("evaluation/") ? [name] : [],
      );
      expect([...writers.keys()].sort()).toEqual([...states].sort());
      for (const name of ["dense1.weight", "dense1.bias"]) {
        const own = states.filter(
          (state) => state === `parameter/${name}` || state.startsWith(`slot/${name}/`),
        );
        expect(own).toHaveLength(
          1 + Object.keys(choice.optimizer.slots({ shape: [], dtype: "float32" })).length,
        );
        expect(new Set(own.flatMap((state) => writers.get(state)!)).size, name).toBe(1);
      }
    },
  );
});
