/** `slalom datasets`: the built-in data sets, where each comes from and whether it is here; or one of them in full. */
import { formatBytes } from "../compile/explain.js";
import {
  type DatasetSource,
  datasets,
  findDataset,
  findFolder,
  type Published,
  placesOf,
} from "../learn/datasets/index.js";
import { integer } from "../report/words.js";
import { columns } from "./columns.js";
import type { Output } from "./output.js";

export function showDatasets(name: string | undefined, output: Output): void {
  if (name !== undefined) {
    showDataset(findDataset(name), output);
    return;
  }
  output.result({ datasets: datasets.map(describe) });
  output.text(
    columns(
      datasets.map((source) => [nameOf(source), titleOf(source), comesFrom(source), whereabouts(source)]),
      { header: ["name", "", "comes from", "is here"], style: output.style },
    ),
  );
  output.text(output.style.dim("\nOne in full: slalom datasets cifar10\nA download: slalom fetch cifar10"));
}

const nameOf = ({ published, name }: DatasetSource): string => published?.name ?? name;

const titleOf = ({ published, title }: DatasetSource): string => published?.title ?? title;

const folderOf = (published: Published): string | undefined =>
  findFolder(published.files, placesOf(published));

const totalBytes = ({ downloads }: Published): number => downloads.reduce((sum, { bytes }) => sum + bytes, 0);

function comesFrom({ published }: DatasetSource): string {
  if (published === undefined) return "a formula and a seed";
  const { name, provided, downloads } = published;
  const fetched = `slalom fetch ${name}, ${formatBytes(totalBytes(published))}`;
  return [...(provided ? [provided.by] : []), ...(downloads.length > 0 ? [fetched] : [])].join("; or ");
}

const whereabouts = ({ published }: DatasetSource): string =>
  published === undefined ? "always" : (folderOf(published) ?? "no");

function describe(source: DatasetSource) {
  const { published, classes, exampleShape } = source;
  return {
    name: nameOf(source),
    title: titleOf(source),
    classes,
    exampleShape,
    present: published === undefined || folderOf(published) !== undefined,
    ...(published && {
      folder: folderOf(published) ?? null,
      places: placesOf(published),
      url: published.url,
      licence: published.licence,
      citation: published.citation,
      provided: published.provided?.by,
      files: published.files,
      downloads: published.downloads,
    }),
  };
}

function showDataset(source: DatasetSource, output: Output): void {
  output.result(describe(source));
  const { published, classes, exampleShape = [] } = source;
  const rows: [string, string][] = [
    ["examples", `${source.title}: of shape [${exampleShape.join(",")}], ${classes} classes`],
    ["comes from", comesFrom(source)],
    ["is here", whereabouts(source)],
  ];
  if (published) {
    rows.push(
      ["looked for in", placesOf(published).join(", ")],
      ["described at", published.url],
      ["cite", published.citation],
      ["licence", published.licence],
      ["files", published.files.map(({ name }) => name).join(" ")],
      ...published.downloads.map(({ url, bytes, sha256 }): [string, string] => [
        "download",
        `${url} ${integer(bytes)} bytes, SHA-256 ${sha256}`,
      ]),
    );
  }
  output.text(`${output.style.bold(nameOf(source))}  ${titleOf(source)}\n`);
  output.text(columns(rows, { style: output.style, width: output.width }));
}
