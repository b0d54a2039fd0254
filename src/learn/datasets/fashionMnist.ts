/**
 * Fashion-MNIST: 70,000 grey images of clothes, 28 x 28, ten classes, in four IDX files as MNIST's. Debian has them as
 * the package dataset-fashion-mnist; else `slalom fetch fashion-mnist` gets them. Xiao, Rasul and Vollgraf 2017.
 */
import { existsSync } from "node:fs";
import type { DatasetSource } from "./dataset.js";
import { type GreyImageOptions, greyImages } from "./greyImages.js";
import type { Published, RemoteFile } from "./published.js";

/** `folder`: one with the four .gz files. `shape`: "image" unless said otherwise. */
export type FashionMnistOptions = GreyImageOptions;

/**
 * Fashion-MNIST with 50,000 training, 10,000 validation and 10,000 test images in the data set's own order.
 *
 * Validation is the last 10,000 of the 60,000 training images. Pixels stay uint8, [0, 255]; scale 1/255 takes them
 * to [0, 1]. Throws "data" when loading if a file is missing or its content is not the original's.
 *
 * @example const data = await fashionMnist({ trainCount: 5000, standardize: "channel" }).load();
 */
export const fashionMnist = (options: FashionMnistOptions = {}): DatasetSource =>
  greyImages(
    {
      operation: "fashionMnist",
      name: "fashion-mnist",
      title: published.title,
      published,
      files: {
        train: { images: files[0], labels: files[1] },
        test: { images: files[2], labels: files[3] },
      },
      classes: 10,
      classNames,
      defaultShape: "image",
      counts: { train: 60_000, test: 10_000 },
      validation: 10_000,
    },
    options,
  );

const classNames = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
];

/** SHA-256 of the content, worked out from Debian's files: their .gz layer is another than the authors'. */
const files = [
  {
    name: "train-images-idx3-ubyte.gz",
    sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
  },
  {
    name: "train-labels-idx1-ubyte.gz",
    sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
  },
  {
    name: "t10k-images-idx3-ubyte.gz",
    sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
  },
  {
    name: "t10k-labels-idx1-ubyte.gz",
    sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
  },
] as const;

const host = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com";

/** The authors' .gz files; SHA-256 as TensorFlow Datasets publishes them. */
const downloads: readonly RemoteFile[] = [
  {
    url: `${host}/train-images-idx3-ubyte.gz`,
    bytes: 26_421_880,
    sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
  },
  {
    url: `${host}/train-labels-idx1-ubyte.gz`,
    bytes: 29_515,
    sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
  },
  {
    url: `${host}/t10k-images-idx3-ubyte.gz`,
    bytes: 4_422_102,
    sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
  },
  {
    url: `${host}/t10k-labels-idx1-ubyte.gz`,
    bytes: 5_148,
    sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
  },
];

const published: Published = {
  name: "fashion-mnist",
  title: "Fashion-MNIST clothes",
  citation: "Xiao, Rasul, Vollgraf: Fashion-MNIST, a novel image dataset, arXiv:1708.07747, 2017",
  url: "https://github.com/zalandoresearch/fashion-mnist",
  licence: "MIT",
  files,
  provided: {
    by: "Debian package dataset-fashion-mnist",
    folder: () => (existsSync(debianFolder) ? debianFolder : undefined),
  },
  downloads,
};

const debianFolder = "/usr/share/datasets/fashion-mnist";
