/** Shared memory that products use: threads that are served at a time do not want different words of one bank. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type NativeLibrary, openLibrary } from "../../../../src/native/library.js";
import { temporaryFolder } from "../../../launch/support.js";
import { functionsInC, missingCompiler } from "./emulation.js";

/** Counts of words of one bank, the most of any that threads of a block want at a time. */
const counting = `
#include <set>
template <typename PlaceOf> static int most(int bytes, PlaceOf placeOf) {
  int worst = 0;
  for (int first = 0; first < 256; first += 128 / bytes) {
    std::set<int> banks[32];
    for (threadIdx.x = first; threadIdx.x < first + 128 / bytes; threadIdx.x++) {
      const int word = placeOf();
      for (int i = 0; word >= 0 && i < bytes / 4; i++) banks[(word + i) % 32].insert(word + i);
    }
    for (const std::set<int>& words : banks) worst = max(worst, (int)words.size());
  }
  return worst;
}

template <typename Layout, int EXTENT, int DEPTH, bool DEPTH_FIRST, int WIDE> static int ofCopies() {
  typedef MatrixOperand<float, DEPTH_FIRST, WIDE> Operand;
  typedef TileCopy<float, Operand, Layout, EXTENT, DEPTH> Copy;
  const Operand operand = {nullptr, EXTENT, 1, 1};
  int worst = 0;
  for (int i = 0; i < Copy::frees; i++)
    for (int j = 0; j < Copy::depths; j++)
      worst = max(worst, most(4 * Copy::width, [&] {
        const Copy copy(operand, 0);
        return copy.takesPart() ? Layout::at(copy.firstFree + i * Copy::freeStep, copy.firstDepth + j * Copy::depthStep) : -1;
      }));
  return worst;
}

// For threads: what they write, and what they read.
template <int ROWS, int COLUMNS, int DEPTH, bool DEPTH_FIRST, int WIDE> static int ofThreads() {
  typedef ThreadTile<float, ROWS, COLUMNS, DEPTH> Tile;
  int worst = max(ofCopies<typename Tile::Left, ROWS, DEPTH, DEPTH_FIRST, WIDE>(),
                  ofCopies<typename Tile::Right, COLUMNS, DEPTH, DEPTH_FIRST, WIDE>());
  for (int depth = 0; depth < DEPTH; depth++) {
    worst = max(worst, most(4 * Tile::rowGroup, [&] { return Tile::Left::at(Tile::down() * Tile::rowGroup, depth); }));
    worst = max(worst, most(4 * Tile::columnGroup, [&] { return Tile::Right::at(Tile::across() * Tile::columnGroup, depth); }));
  }
  return worst;
}

// For warps: thread t of 4 reads 4 depths of one of 8 free indices.
template <int EXTENT, int DEPTH, bool DEPTH_FIRST, int WIDE> static int ofWarps() {
  typedef WarpLines<EXTENT, DEPTH, DEPTH_FIRST> Layout;
  int worst = ofCopies<Layout, EXTENT, DEPTH, DEPTH_FIRST, WIDE>();
  for (int i = 0; i < (DEPTH_FIRST ? 1 : 4); i++)
    worst = max(worst, most(DEPTH_FIRST ? 16 : 4, [&] { return Layout::at(threadIdx.x % 32 / 4, threadIdx.x % 4 * 4 + i); }));
  return worst;
}
`;

const sides = [true, false].flatMap((depthFirst) => [1, 2, 4].map((wide) => `${depthFirst}, ${wide}`));
const threadTiles = ["128, 128, 8", "128, 64, 8", "64, 64, 16", "128, 32, 16", "32, 32, 32", "64, 16, 32"];
const warpTiles = ["128, 16", "64, 16", "32, 16", "32, 32", "16, 32"];
const cases = sides.flatMap((side) => [
  ...threadTiles.map((tile) => `ofThreads<${tile}, ${side}>`),
  ...warpTiles.map((tile) => `ofWarps<${tile}, ${side}>`),
]);

const missing = missingCompiler();

describe.skipIf(missing)(`banks of shared memory${missing ? `: ${missing}` : ""}`, () => {
  const folder = temporaryFolder();
  let library: NativeLibrary;
  beforeAll(() => {
    const header = fileURLToPath(new URL("cudaOnCpu.h", import.meta.url));
    const path = join(folder.path, "banks");
    const functions = cases.map((one, i) => `extern "C" int case${i}() { return ${one}(); }`);
    writeFileSync(`${path}.cpp`, [`#include "${header}"`, functionsInC, counting, ...functions].join("\n"));
    const options = ["-std=c++17", "-D__CUDA_ARCH__=800", "-fPIC", "-shared", "-w", `${path}.cpp`];
    expect(spawnSync("g++", [...options, "-o", `${path}.so`], { encoding: "utf8" })).toMatchObject({
      status: 0,
    });
    library = openLibrary(`${path}.so`);
  }, 300_000);
  afterAll(() => folder.remove());

  test("are asked for one word each at a time", () => {
    const words = cases.map((one, i) => [one, library.func(`int case${i}()`)()]);
    // Of lines of 16 two are copied at a time, and with their padding they are more than all banks.
    const ofCase = (one: string): number => (/[<,] ?16, 32, false/.test(one) ? 2 : 1);
    expect(words).toEqual(cases.map((one) => [one, ofCase(one)]));
  });
});
