// rank.cpp - `regimen rank`: people order the answers of a model, on a page of their own or line by line.
#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <iostream>

#include "base/error.hpp"
#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "cli/arguments.hpp"
#include "cli/command.hpp"
#include "rank/order.hpp"
#include "rank/server.hpp"

namespace rgm {
namespace {

void show(const rank::Session& session, const std::string& rater, size_t index) {
  const rank::Item& item = session.sample(index);
  fmt::print("\n{} of {}\n{}\n", index + 1, session.count(), item.prompt);
  const std::vector<size_t> order = session.shown(rater, index);
  for (size_t i = 0; i < order.size(); ++i)
    fmt::print("\n{}  {}\n", static_cast<char>('A' + i), item.answers[order[i]]);
  fmt::print("\n> ");
  std::fflush(stdout);
}

// "C > B = D > A" and the like, until all is judged, "q", or the end of the input.
void in_terminal(rank::Session& session, const std::string& rater) {
  fmt::print("Order the answers, as in B > A = C; or s to skip, u to undo, n TEXT for a note, q to stop.\n");
  std::string note;
  auto index = session.next(rater);
  while (index) {
    show(session, rater, *index);
    std::string line;
    if (!std::getline(std::cin, line) || line == "q") break;
    try {
      if (line == "u") {
        const auto undone = session.undo(rater);
        fmt::print("{}\n", undone ? "undone" : "there is nothing to undo");
      } else if (line.starts_with("n ")) {
        note = line.substr(2);
        continue;
      } else {
        rank::Judgement said{{}, note};
        const std::vector<size_t> order = session.shown(rater, *index);
        if (line != "s") {
          const std::vector<int> ranks = rank::parse_order(line, order.size());
          said.ranks.resize(order.size());
          for (size_t i = 0; i < order.size(); ++i) said.ranks[order[i]] = ranks[i];
        }
        session.save(rater, *index, said);
      }
      note.clear();
    } catch (const Error& e) {
      if (e.status() != RGM_INVALID) throw;
      fmt::print("{}\n", e.what());
    }
    index = session.next(rater);
  }
}

// Told before anybody has ranked: the file is written at the end.
void check_out(const fs::path& out) {
  std::error_code error;
  require(out.has_filename() && !fs::is_directory(out, error),
          "rank: --out {} is a folder; name a file in it, as in --out {}", out.string(),
          (out / "rankings.jsonl").string());
  const fs::path folder = out.parent_path();
  require(folder.empty() || fs::is_directory(folder, error),
          "rank: there is no folder {}; make it, or correct --out {}", folder.string(), out.string());
}

}  // namespace

int rank_samples(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  rank::SessionOptions options;
  rank::ServerOptions server;
  std::string out;
  int port = 0;
  int64_t seed = 0;
  po::options_description shown("Options");
  shown.add_options()("out", po::value(&out)->value_name("FILE"),
                      "where the rankings go, as jsonl; every step is kept beside it, in FILE.sqlite")(
      "rater", po::value(&server.rater)->value_name("NAME"), "who is ranking; otherwise the page asks")(
      "blind", po::bool_switch(&options.blind), "shuffle the answers for each rater, and hide their sources")(
      "seed", po::value(&seed)->default_value(0)->value_name("N"), "seed of the shuffling")(
      "port", po::value(&port)->default_value(0)->value_name("N"), "port of the page; 0: any free one")(
      "terminal", po::bool_switch(), "rank line by line, without a browser");
  const auto given =
      cli::parse({.command = "rank",
                  .line = "SAMPLES.jsonl --out RANKINGS.jsonl [--rater NAME] [--blind] [--terminal]",
                  .text = "Lets people rank the answers to each prompt, with ties. Rows are {prompt, responses: "
                          "[...]}, or {prompt, text}\n"
                          "for each answer, as the strategy sample writes them. Every step is kept: a closed page or a "
                          "killed program\n"
                          "loses nothing, and the same command continues. The page is served to this machine only.",
                  .example = "regimen rank runs/p/answers/rows.jsonl --out rankings.jsonl",
                  .places = {"samples"}},
                 shown, arguments);
  if (!given) return 0;
  require(given->count("samples") > 0, "rank: which samples? As in `regimen rank rows.jsonl --out rankings.jsonl`");
  require(!out.empty(), "rank: where should the rankings go? As in --out rankings.jsonl");
  check_out(out);
  require(port >= 0 && port < 65536, "rank: --port is {}, expected 0 to 65535", port);
  require(seed >= 0, "rank: --seed is {}, expected at least 0", seed);
  const bool in_a_terminal = (*given)["terminal"].as<bool>();
  require(!in_a_terminal || !server.rater.empty(), "rank: who is ranking? With --terminal, add --rater NAME");
  if (!server.rater.empty()) rank::check_rater(server.rater);
  const fs::path samples = (*given)["samples"].as<std::string>();
  require(!fs::exists(samples / "rows.jsonl"), "rank: {} is a folder: name the rows in it, as in {}", samples.string(),
          (samples / "rows.jsonl").string());
  options.samples = rank::read_samples(samples);
  options.out = out;
  options.seed = static_cast<uint64_t>(seed);
  server.port = static_cast<uint16_t>(port);

  if (!in_a_terminal) catch_interrupts("everything is kept, and the same command continues");
  rank::Session session(options);
  if (in_a_terminal) {
    in_terminal(session, server.rater);
    session.write();
    return 0;
  }
  rank::serve(
      session, server,
      [&](const std::string& address) {
        log::info("{} prompts to rank: open\n\n  {}\n\nCtrl-C ends; the rankings are in {}", session.count(), address,
                  session.out().string());
      },
      [] { return interrupted(); });
  session.write();
  return 0;
}

}  // namespace rgm
