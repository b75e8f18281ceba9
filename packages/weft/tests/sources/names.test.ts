import { expect, test } from "vitest";
import { baseName, hubUrl, locate, partNames } from "../../src/sources/names.js";

const base = "https://page.example/app/index.html";
const hub = "https://huggingface.co";

test.each([
  ["owner/repo/model-q8_0.gguf", `${hub}/owner/repo/resolve/main/model-q8_0.gguf`],
  ["owner/repo@v1.2/model.gguf", `${hub}/owner/repo/resolve/v1.2/model.gguf`],
  ["owner/re.po/sub dir/model.gguf", `${hub}/owner/re.po/resolve/main/sub%20dir/model.gguf`],
  ["hf:owner/repo@refs%2Fpr%2F1/a/b.gguf", `${hub}/owner/repo/resolve/refs%2Fpr%2F1/a/b.gguf`],
  ["https://a.example/x.gguf?y=1", "https://a.example/x.gguf?y=1"],
  ["./models/a/b.gguf", "https://page.example/app/models/a/b.gguf"],
  ["/models/a/b.gguf", "https://page.example/models/a/b.gguf"],
  ["model.gguf", "https://page.example/app/model.gguf"],
  ["models/model.gguf", "https://page.example/app/models/model.gguf"],
  ["blob:https://page.example/1234", "blob:https://page.example/1234"],
])("%s", (name, url) => {
  expect(locate(name, { base })).toEqual({ url });
});

test("other hubs", () => {
  expect(hubUrl("o/r/f.gguf", "https://mirror.example/")).toBe("https://mirror.example/o/r/resolve/main/f.gguf");
});

test("paths, where there is no page", () => {
  expect(locate("./model.gguf")).toEqual({ path: "./model.gguf" });
  expect(locate("file:///a%20b/model.gguf")).toEqual({ path: "/a b/model.gguf" });
});

test.each([["", /empty/], ["ftp://a/b.gguf", /scheme 'ftp'/], ["hf:model.gguf", /owner\/repo\/file/], ["https://", /does not parse/]])(
  "'%s' is refused", (name, message) => {
    expect(() => locate(name, { base })).toThrow(message);
  });

test("parts of split models", () => {
  expect(partNames("https://a/m-00002-of-00003.gguf?x#y")).toEqual(
    [1, 2, 3].map((n) => `https://a/m-0000${n}-of-00003.gguf?x#y`));
  for (const whole of ["m.gguf", "m-00004-of-00003.gguf", "m-00000-of-00003.gguf", "m-1-of-3.gguf", "m-00001-of-00003.bin"])
    expect(partNames(whole)).toEqual([whole]);
});

test("names of files", () => {
  expect(baseName("https://a/b/model%20x.gguf?c=d/e")).toBe("model x.gguf");
  expect(baseName("/a/b\\c.gguf")).toBe("c.gguf");
  expect(baseName("https://a/%zz.gguf")).toBe("%zz.gguf");
  expect(baseName("blob:https://a/1-2-3")).toBe("model");
});
