// person.cpp - the stage's answers on the page of `regimen rank`, until somebody has ranked them all.
#include "host/person.hpp"

#include <map>

#include "base/interrupt.hpp"
#include "base/log.hpp"
#include "rank/server.hpp"

namespace rgm {
namespace {

constexpr int64_t at_once = 256;  // units read from the data

// What people have said of each prompt's answers.
struct People {
  std::string rater;
  std::map<std::string, std::map<std::string, int32_t>> ranks;
};

const std::string& text(const Batch& batch, const char* column, int64_t example) {
  return text_of(batch, column, example);
}

rank::Samples samples_of(const rgm_train& train) {
  const Source& source = *train.sources->at(train.main_source);
  std::vector<rank::Item> items;
  std::map<std::string, size_t> places;
  for (int64_t begin = 0; begin < source.units(); begin += at_once) {
    const Batch batch = source.in_order(begin, std::min(source.units(), begin + at_once));
    for (int64_t e = 0; e < batch.examples; ++e) {
      const auto [place, is_new] = places.emplace(text(batch, "prompt", e), items.size());
      if (is_new) items.push_back({text(batch, "prompt", e), {}, {}});
      items[place->second].answers.push_back(text(batch, "text", e));
    }
  }
  std::vector<std::string> where;
  where.reserve(items.size());
  for (const rank::Item& item : items) where.push_back(train.stage + ": \"" + item.prompt.substr(0, 60) + "\"");
  return rank::make_samples(std::move(items), where);
}

std::shared_ptr<People> asked(rgm_train& train) {
  // A file for each set of answers: when an earlier stage writes others, what people said of these is kept.
  rank::Samples samples = samples_of(train);
  const fs::path file = train.folder / fmt::format("ranked-by-people-{}.jsonl", samples.sha256.substr(0, 8));
  rank::Session session({std::move(samples), file, /*blind=*/true, train.seed});
  if (!session.finished())
    rank::serve(
        session, {},
        [&](const std::string& address) {
          log::info(
              "{}: {} prompts are waiting for a person: open\n\n  {}\n\nCtrl-C stops here; the same command continues",
              train.stage, session.count(), address);
        },
        [&] { return interrupted() || session.finished(); });
  const auto rater = session.finished();
  if (!rater) {
    train.interruption = train.stage + ": interrupted while people were ranking; their rankings are kept";
    throw Interrupted(train.interruption);
  }
  auto out = std::make_shared<People>();
  out->rater = *rater;
  for (size_t i = 0; i < session.count(); ++i) {
    const rank::Item& item = session.sample(i);
    const auto said = session.judgement(*rater, i);
    for (size_t a = 0; a < item.answers.size(); ++a)
      out->ranks[item.prompt][item.answers[a]] = said && !said->ranks.empty() ? said->ranks[a] : 0;
  }
  return out;
}

}  // namespace

PersonsRanks ask_person(rgm_train& train, const Batch& batch) {
  require(train.sources && train.sources->contains(train.main_source), "{}: there is no data to ask people about",
          train.stage);
  if (!train.people) train.people = asked(train);
  const People& people = *std::static_pointer_cast<People>(train.people);
  PersonsRanks out{{}, &people.rater};
  for (int64_t e = 0; e < batch.examples; ++e) {
    const auto prompt = people.ranks.find(text(batch, "prompt", e));
    const auto answer =
        prompt == people.ranks.end() ? decltype(prompt->second.end()){} : prompt->second.find(text(batch, "text", e));
    require(prompt != people.ranks.end() && answer != prompt->second.end(),
            "{}: nobody was asked about an answer of this batch", train.stage);
    out.ranks.push_back(answer->second);
  }
  return out;
}

}  // namespace rgm
