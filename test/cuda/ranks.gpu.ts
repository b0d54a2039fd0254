/** Logical ranks on one GPU against one rank. */
import { gpu } from "./gpu.js";
import { rankParity } from "./ranks.js";

rankParity("cuda", (ranks) => gpu(ranks === 1 ? {} : { logicalRanks: ranks }));
