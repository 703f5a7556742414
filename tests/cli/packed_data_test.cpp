// packed_data_test.cpp - the same rows as JSON lines, packed, and as Parquet: training and evaluating do not tell them
// apart, and a bad file is told where the pipeline names it.
#include <gmock/gmock.h>

#include "base/packed.hpp"
#include "cli/tiny_run.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

class PackedData : public TinyRun {
 protected:
  PackedData() {
    std::string rows;
    for (int i = 0; i < 600; ++i)
      rows += fmt::format("{{\"text\": \"number {:03}\", \"n\": {}}}\n", i * 7919 % 1000, i / 3);
    write("rows.jsonl", rows);
    write("rows.jsonl.gz", test::gzipped(rows));
    fs::create_directory(folder_ / "many");
    fs::copy_file(fs::path(REGIMEN_SOURCE_DIRECTORY) / "tests/parity/parquet/pages.arrow.parquet",
                  folder_ / "many/rows.parquet");
    std::string pipeline = tiny(3);
    pipeline.replace(pipeline.find("{text: text.txt}"), 16, "{jsonl: rows.jsonl}");
    write("p.yaml", pipeline);
  }
};

TEST_F(PackedData, TheSameRowsTrainToTheSameBitsHoweverTheyAreKept) {
  const auto trained = [&](const std::string& train) {
    const Said said = regimen("run p.yaml --out out --force --set 'stages.base.data.train=" + train + "'");
    EXPECT_EQ(said.status, 0) << said.err;
    return hash_of("out/base/model/model.safetensors");
  };
  const std::string lines = trained("{jsonl: rows.jsonl}");
  const double loss = json("out/base/stage.json")["result"]["validation_loss"];
  EXPECT_EQ(trained("{jsonl: rows.jsonl.gz}"), lines);
  EXPECT_EQ(trained("{parquet: many}"), lines);
  EXPECT_EQ(json("out/base/stage.json")["result"]["validation_loss"], loss);
  const auto evaluated = [&](const std::string& data) {
    return regimen("evaluate --json --model out/base --data " + data).out;
  };
  EXPECT_THAT(evaluated("rows.jsonl"), HasSubstr("\"loss\""));
  EXPECT_EQ(evaluated("many/rows.parquet"), evaluated("rows.jsonl"));
}

TEST_F(PackedData, ABadFileIsToldWhereThePipelineNamesIt) {
  const auto checked = [&](const std::string& train) {
    std::string pipeline = read_file(folder_ / "p.yaml");
    pipeline.replace(pipeline.find("{jsonl: rows.jsonl}"), 19, train);
    write("bad.yaml", pipeline);
    const Said said = regimen("check bad.yaml");
    EXPECT_EQ(said.status, 2);
    return said.err;
  };
  const std::string whole = read_file(folder_ / "many/rows.parquet");
  write("cut.parquet", whole.substr(0, 2000));
  EXPECT_THAT(checked("{parquet: cut.parquet}"),
              HasSubstr("bad.yaml:10:29: cut.parquet: is cut off: it does not end with PAR1"));
  write("bent.parquet", std::string(whole).replace(1000, 40, 40, '\xFF'));
  EXPECT_THAT(checked("{parquet: bent.parquet}"), HasSubstr("bad.yaml:10:5: stage \"base\": bent.parquet: is damaged"));
  write("cut.jsonl.gz", read_file(folder_ / "rows.jsonl.gz").substr(0, 900));
  EXPECT_THAT(checked("{jsonl: cut.jsonl.gz}"),
              HasSubstr("bad.yaml:10:5: stage \"base\": cut.jsonl.gz: is cut off: its gzip data goes on"));
}

}  // namespace
}  // namespace rgm
