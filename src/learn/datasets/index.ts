/** Data sets: the built-in ones by name, those from arrays and files, and the contract that all keep. */
import { unknownName } from "../../base/errors.js";
import { cifar10 } from "./cifar10.js";
import type { DatasetSource } from "./dataset.js";
import { emnist } from "./emnist.js";
import { fashionMnist } from "./fashionMnist.js";
import { mnistDataset } from "./mnist.js";
import { blobs, spirals } from "./synthetic.js";

/** The built-in data sets with their default options; nothing is read before `load`. */
export const datasets: readonly DatasetSource[] = [
  mnistDataset(),
  fashionMnist(),
  emnist(),
  cifar10(),
  blobs(),
  spirals(),
];

/** The built-in data set of that name, or published under it; throws "name" with the valid ones. */
export function findDataset(name: string): DatasetSource {
  const names = datasets.map((source) => source.published?.name ?? source.name);
  const found = datasets.find((source, i) => name === names[i] || name === source.name);
  if (found === undefined) throw unknownName("data set", name, names);
  return found;
}

export {
  type ArrayData,
  type ArraysOptions,
  type ClassificationOptions,
  classification,
  type NestedNumbers,
  regression,
} from "./arrays.js";
export { type Cifar10Options, cifar10 } from "./cifar10.js";
export {
  checkDataset,
  type Dataset,
  type DatasetSource,
  type Factor,
  type Split,
  type SplitName,
  sourceOf,
  splitNames,
} from "./dataset.js";
export { type Fetched, type FetchOptions, fetchDataset } from "./download/fetchDataset.js";
export { type EmnistOptions, type EmnistSplit, emnist } from "./emnist.js";
export { type FashionMnistOptions, fashionMnist } from "./fashionMnist.js";
export {
  type ArrayNames,
  type CsvDatasetOptions,
  csvDataset,
  type IdxDatasetOptions,
  type IdxFiles,
  idxDataset,
  type NpyDatasetOptions,
  type NpzDatasetOptions,
  npyDataset,
  npzDataset,
} from "./files.js";
export { type CsvOptions, type CsvTable, decodeCsv, readCsv } from "./formats/csv.js";
export type { NamedBytes } from "./formats/file.js";
export { decodeIdx, readIdx } from "./formats/idx.js";
export type { ImageFit } from "./formats/image.js";
export { decodeNpy, readNpy } from "./formats/npy.js";
export { type NpzArchive, openNpz, readNpz } from "./formats/npz.js";
export { type ImageFolderOptions, imageFolder } from "./imageFolder.js";
export { type MnistOptions, mnistDataset } from "./mnist.js";
export {
  defaultCache,
  findFolder,
  type OriginalFile,
  type Published,
  placesOf,
  type RemoteFile,
} from "./published.js";
export { type SplitOptions, splitDataset, takeFirst } from "./split.js";
export { type Standardize, standardizeDataset } from "./standardize.js";
export { type BlobsOptions, blobs, type SpiralsOptions, spirals } from "./synthetic.js";
