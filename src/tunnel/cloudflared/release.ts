/**
 * The one cloudflared release that is fetched, as data. Rewritten by `scripts/pin-cloudflared.mjs`: edit that, not this.
 * `assetSha256` is of the file that is downloaded, `binarySha256` of the program in it; they differ for the archives.
 */

export interface Pin {
  readonly asset: string;
  readonly assetSha256: string;
  readonly binarySha256: string;
}

export const CLOUDFLARED_VERSION = "2026.9.3";

export const PINS: Readonly<Record<string, Pin>> = {
  "linux-x64": {
    asset: "cloudflared-linux-amd64",
    assetSha256: "77e26d8d900e0b8469f416239d14b5f296525fdf79fee6f511ef55609e3fbac2",
    binarySha256: "77e26d8d900e0b8469f416239d14b5f296525fdf79fee6f511ef55609e3fbac2",
  },
  "linux-arm64": {
    asset: "cloudflared-linux-arm64",
    assetSha256: "aaeb2d7d0da3614634c7e03ab13487a1522c2e79165ed2929cfe23d5e95b326d",
    binarySha256: "aaeb2d7d0da3614634c7e03ab13487a1522c2e79165ed2929cfe23d5e95b326d",
  },
  "darwin-x64": {
    asset: "cloudflared-darwin-amd64.tgz",
    assetSha256: "d1155d0837487f261183b15c1eab6c4ebcad9dc49b94675f1524c3564cea3977",
    binarySha256: "ab588b3b4db9cdb4476c30a3db2a72635b1d8327d44741fee6799a0f37b0ec07",
  },
  "darwin-arm64": {
    asset: "cloudflared-darwin-arm64.tgz",
    assetSha256: "587c2cfb1c230fe36c7fa7727da78be459dae028cabe8c001291999350f07095",
    binarySha256: "5472c1a01c84bc31b3021056a73b4e5774ddddefc572124ea8fdf6c340639f32",
  },
  "win32-x64": {
    asset: "cloudflared-windows-amd64.exe",
    assetSha256: "f096265ec2fcbe9bb6e2d64268db167ced3fcbb83d894bdb9e2fcdb26f2ea7e2",
    binarySha256: "f096265ec2fcbe9bb6e2d64268db167ced3fcbb83d894bdb9e2fcdb26f2ea7e2",
  },
};
