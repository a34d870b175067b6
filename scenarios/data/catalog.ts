/**
 * The public data sets that scenarios and tests read. Parley does not redistribute them: it finds them in a data directory,
 * or downloads the publisher's original and checks what it got by SHA-256.
 */

/** One file below the data directory. The digest is of the content after gunzip, so recompressing it changes nothing. */
export interface DataFile {
  /** Path below the data directory, such as `heart/heart-va.csv`; `.gz` files are gzipped. */
  readonly path: string;
  readonly contentBytes: number;
  readonly contentSha256: string;
  /** Name of the original inside the publisher's archive. */
  readonly member: string;
  /** A header row that the original lacks, with its line break; part of the content. */
  readonly headerRow?: string;
}

/** Where the original comes from: a zip archive at the publisher's address, or a person's own hands. */
export type Origin =
  | { readonly type: 'zip'; readonly path: string }
  | { readonly type: 'by-hand'; readonly steps: string };

/** One data set of the catalogue. */
export interface DataSet {
  readonly name: string;
  readonly description: string;
  readonly licence: string;
  readonly citation: string;
  readonly page: string;
  readonly origin: Origin;
  readonly files: readonly DataFile[];
}

/** The publisher from which archives are downloaded unless a mirror is named. */
export const publisher = 'https://archive.ics.uci.edu';

const heartHeader = 'age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,num\n';

/** Every known data set, by name. */
export const dataSets: readonly DataSet[] = [
  {
    name: 'diabetes130',
    description: '101,766 in-patient encounters of 71,518 diabetic patients at 130 US hospitals, 1999-2008',
    licence: 'CC BY 4.0',
    citation:
      'Clore, Cios, DeShazo, Strack (2014), UCI ML Repository, DOI 10.24432/C5230J; Strack et al. (2014), BioMed Research International 781670',
    page: 'https://archive.ics.uci.edu/dataset/296',
    origin: {
      type: 'zip',
      path: '/static/public/296/diabetes+130-us+hospitals+for+years+1999-2008.zip',
    },
    files: [
      {
        path: 'diabetes130/diabetes130.csv.gz',
        member: 'diabetic_data.csv',
        contentBytes: 19159383,
        contentSha256: '0689e7ec031237dc63031b938805c48377748761a3b26acab621567afa24df97',
      },
    ],
  },
  {
    name: 'heart',
    description:
      'First examinations of 920 heart patients at four real sites (Cleveland, Hungary, Switzerland, VA)',
    licence: 'CC BY 4.0; the donors ask to be named',
    citation:
      'Janosi, Steinbrunn, Pfisterer, Detrano (1988), UCI ML Repository, DOI 10.24432/C52P4X; FLamby: Ogier du Terrail et al. (NeurIPS 2022)',
    page: 'https://archive.ics.uci.edu/dataset/45',
    origin: { type: 'zip', path: '/static/public/45/heart+disease.zip' },
    files: [
      heartFile('cleveland', 18538, 'a5195b7562ca4f48bda400649bfee2a7d7ed70ff72fb5cc0c486c68fd68f7f62'),
      heartFile('hungarian', 10340, '6952a700f497e42235fc06f85c62a862b2fdc82b4d7d7518740a44975a9d13af'),
      heartFile('switzerland', 4186, 'cc159853e3f3a4951105b0f543ccd74cbc4a3d840c75e19555c4cf03b288d2b8'),
      heartFile('va', 6814, '461544f403c571c0582da374806491dfd5b25688024f7b75df914ee7815bd89d'),
    ],
  },
  {
    name: 'credit-default',
    description: '30,000 credit-card clients in Taiwan, 2005: does the client default next month?',
    licence: 'CC BY 4.0',
    citation: 'Yeh and Lien (2009), Expert Systems with Applications 36(2), DOI 10.24432/C55S3H',
    page: 'https://archive.ics.uci.edu/dataset/350',
    origin: {
      type: 'by-hand',
      steps:
        'the publisher ships an .xls workbook, which Parley does not read: download it, delete its first row (X1, X2, ...), keep the row of names (ID, LIMIT_BAL, ...), and save it as CSV in UTF-8',
    },
    files: [
      {
        path: 'credit-default/credit-default.csv.gz',
        member: 'default of credit card clients.xls',
        contentBytes: 2862945,
        contentSha256: 'c1f0ef10321f9b21b71339e51443f7ac8630674fb300d019786ffaba17114110',
      },
    ],
  },
  {
    name: 'eicu-demo',
    description: '2,520 intensive-care stays of 1,841 patients at 186 hospitals (eICU demo 2.0.1)',
    licence: 'ODbL 1.0 (attribution, share-alike for derived databases); do not try to re-identify anybody',
    citation:
      'Johnson, Pollard, Badawi, Raffa (2021), PhysioNet, DOI 10.13026/4mxk-na84; Pollard et al. (2018), Scientific Data 5:180178; Goldberger et al. (2000)',
    page: 'https://physionet.org/content/eicu-crd-demo/2.0.1/',
    origin: {
      type: 'by-hand',
      steps:
        'download the demo and join patient, hospital (on hospitalid), apacheApsVar (columns prefixed aps_) and the IVa rows of apachePatientResult (apacheIVa_) into one row for each patientunitstayid, missing rows empty',
    },
    files: [
      {
        path: 'eicu-demo/eicu-demo-stays.csv.gz',
        member: 'patient.csv',
        contentBytes: 909368,
        contentSha256: '1745c21d9b90f53775357928530c6f89712112499b62162aa8fa5090ef93254b',
      },
    ],
  },
  {
    name: 'completejourney',
    description:
      '75,000 receipt lines of 2,377 households over one year, 2017 (a sample of Complete Journey 2.0)',
    licence: "CC0 by the package's description; the data's own terms at 84.51/dunnhumby were not checked",
    citation: 'Boehmke and Mortimer, R package completejourney 1.1.1; data by 84.51/dunnhumby',
    page: 'https://bradleyboehmke.github.io/completejourney/',
    origin: {
      type: 'by-hand',
      steps:
        "the publisher ships R data, which Parley does not read: in R with the package completejourney, join transactions_sample with department, brand and product_category of products by product_id, write times as '2017-01-28 14:06:53', and save it as CSV in UTF-8",
    },
    files: [
      {
        path: 'completejourney/transactions.csv.gz',
        member: 'transactions_sample.rda',
        contentBytes: 7255436,
        contentSha256: '4f8277afae0f922c47189dea41688ea40bb36e12b98783d121fe162bafc6e9b6',
      },
    ],
  },
  {
    name: 'mnist-writers',
    description: "MNIST's 10,000 test digits with the 297 writers of QMNIST's extended labels",
    licence: 'images: CC BY-SA 3.0, as commonly stated for MNIST; labels of QMNIST: BSD',
    citation: 'LeCun, Cortes, Burges; Yadav and Bottou (2019), Cold Case: The Lost MNIST Digits (NeurIPS)',
    page: 'https://github.com/facebookresearch/qmnist',
    origin: {
      type: 'by-hand',
      steps:
        "two publishers, and labels in a form of their own: take MNIST's t10k-images-idx3-ubyte.gz as it is under the first name, and make the table with the columns index, label, writer_id, hsf_series, digit_index_for_writer from the first 10,000 rows of qmnist-test-labels-idx2-int.gz (series 4: SD1-hsf4, else SD3-hsf0)",
    },
    files: [
      {
        path: 'mnist-writers/mnist-test-images.idx3-ubyte.gz',
        member: 't10k-images-idx3-ubyte',
        contentBytes: 7840016,
        contentSha256: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
      },
      {
        path: 'mnist-writers/mnist-test-writers.csv.gz',
        member: 'qmnist-test-labels-idx2-int',
        contentBytes: 234427,
        contentSha256: 'a34788489319a7b1b5e8804114aab1a845cb62c559db0039c1973f7fa7390820',
      },
    ],
  },
  {
    name: 'shakespeare-roles',
    description: '7,097 speeches of 299 roles of Shakespeare (tinyshakespeare, cut by speaker)',
    licence: 'public domain',
    citation: 'Shakespeare; Karpathy, char-rnn',
    page: 'https://github.com/karpathy/char-rnn',
    origin: {
      type: 'by-hand',
      steps:
        "cut data/tinyshakespeare/input.txt at its empty lines; of every block whose first line ends in a colon write a row with the columns speech_index, role (that line without the colon) and text (the other lines joined by ' / ')",
    },
    files: [
      {
        path: 'shakespeare-roles/shakespeare-roles.csv.gz',
        member: 'input.txt',
        contentBytes: 1181679,
        contentSha256: '75051cc906471469f1bcaf8183612c02bd6d928d16c8c639e8bbdd66ec02753e',
      },
    ],
  },
];

/** The catalogue as text for a terminal: name, what it is, licence, how to get it, citation. */
export function describeDataSets(): string {
  return dataSets
    .map((dataSet) =>
      [
        `${dataSet.name}: ${dataSet.description}`,
        `  licence   ${dataSet.licence}`,
        `  files     ${dataSet.files.map(({ path }) => path).join(', ')}`,
        `  get it    ${dataSet.origin.type === 'zip' ? `parley data fetch ${dataSet.name}` : `by hand from ${dataSet.page}: ${dataSet.origin.steps}`}`,
        `  cite      ${dataSet.citation}`,
      ].join('\n'),
    )
    .join('\n\n');
}

function heartFile(site: string, contentBytes: number, contentSha256: string): DataFile {
  return {
    path: `heart/heart-${site}.csv`,
    member: `processed.${site}.data`,
    contentBytes,
    contentSha256,
    headerRow: heartHeader,
  };
}
