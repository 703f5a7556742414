// prompting.cpp - asks a model that nobody trains (Brown et al. 2020, arXiv 2005.14165): each row is put into a
// template behind a few examples, and the answer is the label whose words the model finds likeliest, as `score` counts
// them:
//   raw         sum of log p(token | prompt) over the words' tokens
//   mean        the same, divided by their number
//   calibrated  raw - raw behind the same prompt with empty columns: what the model says to nothing is taken off
//               (Zhao et al. 2021, arXiv 2102.09690; Holtzman et al. 2021, arXiv 2104.08315)
//   generate    no score: the model goes on, and the label is the one that the text begins with
// Rows are `prompt`, `label`, `answer`, `right`, and a score for each label.
#include <algorithm>
#include <map>
#include <regimen/regimen.hpp>

#include "template.hpp"
#include "verdict.hpp"
using namespace regimen;

struct PromptingOptions {
  static constexpr const char* scores[] = {"raw", "mean", "calibrated", "generate", nullptr};
  static constexpr const char* labelled[] = {"right", "wrong", nullptr};
  static constexpr const char* whom[] = {"new", "shown", nullptr};
  static constexpr rgm_str two[] = {{"0", 1}, {"1", 1}};

  std::string_view text = "{text}\n{label}", separator = "\n\n", score = "raw", shot_labels = "right", ask = "new";
  std::span<const rgm_str> labels = two, words, examples;
  int64_t shots = 0, max_tokens = 8;

  using O = PromptingOptions;
  static constexpr auto list = options(
      option("template", &O::text, "what is asked: {column} for each row's own, {label} for the answer, at the end"),
      option("labels", &O::labels, "the values of the column label"),
      option("words", &O::words, "how the prompt writes each of them; otherwise as they are"),
      option("shots", &O::shots, "examples shown before each question, drawn from the data `examples`").range(0, 1024),
      option("shot_labels", &O::shot_labels, "with which labels they are shown").choices(labelled),
      option("examples", &O::examples, "these texts as they are, instead of drawn examples"),
      option("ask", &O::ask,
             "new: rows that were not shown; shown: each row is also the last example, with a wrong label")
          .choices(whom),
      option("separator", &O::separator, "what stands between examples"),
      option("score", &O::score, "how answers are found").choices(scores),
      option("max_tokens", &O::max_tokens, "length of a generated answer").range(1, 4096));
};

class Prompting {
 public:
  using Options = PromptingOptions;
  static constexpr rgm_column columns[] = {column::text("*"), column::text("examples.*", RGM_OPTIONAL)};

  explicit Prompting(const Options& o) : o_(o), template_(o.text) {
    require(o.labels.size() > 1,
            "prompting: there are fewer than two labels to choose from: list them with labels: [...]");
    require(o.words.empty() || o.words.size() == o.labels.size(),
            "prompting: words and labels differ in number: give one word for each label");
    require(o.examples.empty() || o.shots == 0,
            "prompting: examples are given, but shots asks for drawn ones: leave one of them out");
    for (size_t i = 0; i < o.labels.size(); ++i) {
      labels_.emplace_back(view(o.labels[i]));
      words_.emplace_back(view(o.words.empty() ? o.labels[i] : o.words[i]));
      require(!words_[i].empty(), "prompting: the label \"" + labels_[i] + "\" has an empty word");
      for (size_t j = 0; j < i; ++j)
        require(words_[i] != words_[j] && labels_[i] != labels_[j],
                "prompting: two labels are \"" + words_[i] + "\": nobody could tell them apart");
    }
  }

  Plan plan() const { return {.needs_all_sources = o_.shots > 0}; }

  Experience rollout(const Train& train, const Batch& batch) const {
    const Shots shots = shots_of(train);
    const rgm_model_info model = train.model("policy").info();
    std::vector<Asked> rows;
    double dropped = 0, cut = 0;
    for (int64_t e = 0; e < batch.examples(); ++e) {
      rows.push_back(ask(batch, e, shots, model));
      dropped += double(rows.back().dropped);
      cut += rows.back().cut;
    }
    train.metric("questions_cut", full({}, cut), full({}, double(rows.size())));
    if (!shots.empty()) train.metric("shots_left_out", full({}, dropped), full({}, double(rows.size())));
    return {o_.score == "generate" ? generated(train, rows) : scored(train, rows)};
  }

  void conclude(const Train& train, const Batch& rows) const {
    Verdict verdict;
    for (int64_t e = 0; e < rows.examples(); ++e)
      verdict.add(std::string(rows.text("label", e)), std::string(rows.text("answer", e)));
    const Interval interval = verdict.interval();
    const auto number = [&](const char* key, double x) { train.report(key, std::to_string(x)); };
    number("accuracy", verdict.accuracy());
    number("accuracy_low", interval.low);
    number("accuracy_high", interval.high);
    number("chance", verdict.chance());
    train.report("at_chance", verdict.is_at_chance() ? "true" : "false");
    std::string confusion;
    for (const auto& [truth, answers] : verdict.confusion()) {
      std::string line;
      for (const auto& [answer, times] : answers)
        line += (line.empty() ? "" : ", ") + quoted(answer) + ": " + std::to_string(int64_t(times));
      confusion += (confusion.empty() ? "" : ", ") + quoted(truth) + ": {" + line + "}";
    }
    train.report("confusion", "{" + confusion + "}");
    if (verdict.is_at_chance())
      train.report("note", quoted("at chance: always giving the most frequent label is right as often, as far as " +
                                  std::to_string(int64_t(verdict.count())) + " rows can tell"));
    if (verdict.is_below_chance())
      train.report("note", quoted("below chance: always giving the most frequent label is right more often"));
  }

 private:
  using Shots = std::vector<std::string>;  // with their labels, as they are shown
  struct Asked {
    std::string prompt, empty, label;  // `empty`: the prompt with empty columns
    size_t dropped = 0;                // shots
    bool cut = false;                  // the question alone is too long, and loses its beginning
  };

  static std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      if (uint8_t(c) < 0x20)
        out += ' ';
      else
        out += c;
    }
    return out + "\"";
  }

  // The row's value of a column, for a template.
  static auto values(const Batch& batch, int64_t e) {
    return [&batch, e](const std::string& column) {
      require(batch.has_text(column.c_str()),
              "prompting: the template asks for {" + column +
                  "}, but the data has no such column: correct the name, or write columns: {" + column + ": NAME}");
      return std::string(batch.text(column.c_str(), e));
    };
  }

  size_t label_of(const Batch& batch, int64_t e) const {
    require(batch.has_text("label"),
            "prompting: the data has no column label: say which one it is, as in columns: {label: 1}");
    const std::string_view label = batch.text("label", e);
    const auto found = std::ranges::find(labels_, label);
    require(found != labels_.end(), "prompting: the label \"" + std::string(label) + "\" is not among labels: [...]");
    return size_t(found - labels_.begin());
  }
  const std::string& word(size_t label, bool right) const {
    return words_[right ? label : (label + 1) % words_.size()];
  }

  Shots shots_of(const Train& train) const {
    Shots out;
    for (const rgm_str example : o_.examples) out.emplace_back(view(example));
    if (o_.shots == 0) return out;
    const auto drawn = train.draw("examples", o_.shots);
    require(drawn.has_value(), "prompting: shots are drawn from the data `examples`, which the stage does not have");
    for (int64_t e = 0; e < drawn->examples(); ++e)
      out.push_back(template_.shown(values(*drawn, e), word(label_of(*drawn, e), o_.shot_labels == "right")));
    return out;
  }

  // As many shots as the context has room for, the last ones.
  Asked ask(const Batch& batch, int64_t e, Shots shots, const rgm_model_info& model) const {
    const size_t label = label_of(batch, e);
    if (o_.ask == "shown") shots.push_back(template_.shown(values(batch, e), word(label, false)));
    const std::string question = template_.question(values(batch, e));
    int64_t answer = o_.score == "generate" ? o_.max_tokens : 0;
    if (answer == 0)
      for (const std::string& w : words_)
        answer = std::max(answer, tokenize(model.tokenizer, template_.answer(w)).count());
    Asked out{.prompt = {}, .empty = {}, .label = labels_[label]};
    const auto fits = [&](size_t dropped) {
      std::string before;
      for (size_t i = dropped; i < shots.size(); ++i) before += shots[i] + std::string(o_.separator);
      out.dropped = dropped;
      out.prompt = before + question;
      out.empty = before + template_.question([](const std::string&) { return std::string(); });
      out.cut = tokenize(model.tokenizer, out.prompt).count() + answer > model.context;
      return !out.cut;
    };
    if (!fits(0)) {
      size_t least = std::min<size_t>(1, shots.size()), most = shots.size();
      while (least < most) {
        const size_t middle = (least + most) / 2;
        fits(middle) ? most = middle : least = middle + 1;
      }
      fits(most);
    }
    require(tokenize(model.tokenizer, out.prompt).count() > 0,
            "prompting: a prompt is empty, and an answer has to follow something: add words to the template");
    require(o_.score != "calibrated" || tokenize(model.tokenizer, out.empty).count() > 0,
            "prompting: score: calibrated compares with the prompt whose columns are empty, and nothing of the "
            "template is left then: add words to it");
    if (out.cut && o_.score == "generate") out.prompt = end_of(out.prompt, model.context - answer, model.tokenizer);
    return out;
  }

  // The longest end of a text that is at most so many tokens, from a character on.
  static std::string end_of(const std::string& text, int64_t most, rgm_tokenizer* tokenizer) {
    require(most > 0, "prompting: max_tokens leaves no room for a question in the model's context");
    size_t begin = 0, end = text.size();  // too long from `begin` on, short enough from `end` on
    while (begin < end) {
      size_t middle = begin + (end - begin) / 2;
      while (middle < end && (uint8_t(text[middle]) & 0xC0) == 0x80) ++middle;
      if (middle == end) break;
      if (tokenize(tokenizer, text.substr(middle)).count() > most) {
        begin = middle + 1;
      } else {
        end = middle;
      }
    }
    return text.substr(end);
  }

  // log p of every label's words behind every prompt, by prompt
  std::vector<std::vector<float>> likelihoods(const Train& train, const std::vector<std::string>& prompts) const {
    std::vector<std::string> first, then;
    for (const std::string& prompt : prompts)
      for (const std::string& w : words_) first.push_back(prompt), then.push_back(template_.answer(w));
    const Batch batch = train.batch();
    const Tokens tokens = train.set_tokens(batch, "question", first, then);
    Tensor sums = tokens.sum_each(tokens.weights * train.model("policy").logprobs(tokens));
    if (o_.score == "mean") sums = sums / tokens.sum_each(tokens.weights);
    const std::vector<float> all = read<float>(sums);
    std::vector<std::vector<float>> out;
    for (size_t i = 0; i < prompts.size(); ++i)
      out.emplace_back(all.begin() + ptrdiff_t(i * words_.size()), all.begin() + ptrdiff_t((i + 1) * words_.size()));
    return out;
  }

  Batch scored(const Train& train, const std::vector<Asked>& rows) const {
    std::vector<std::string> prompts;
    prompts.reserve(rows.size());
    for (const Asked& row : rows) prompts.push_back(row.prompt);
    auto scores = likelihoods(train, prompts);
    if (o_.score == "calibrated") {
      std::map<std::string, std::vector<float>> of_nothing;
      for (const Asked& row : rows) of_nothing[row.empty];
      prompts.clear();
      for (const auto& [prompt, ignored] : of_nothing) prompts.push_back(prompt);
      const auto found = likelihoods(train, prompts);
      for (size_t i = 0; i < prompts.size(); ++i) of_nothing[prompts[i]] = found[i];
      for (size_t e = 0; e < rows.size(); ++e)
        for (size_t l = 0; l < words_.size(); ++l) scores[e][l] -= of_nothing[rows[e].empty][l];
    }
    std::vector<std::string> answers;
    answers.reserve(scores.size());
    for (const auto& row : scores) answers.push_back(labels_[size_t(std::ranges::max_element(row) - row.begin())]);
    const Batch out = written(train, rows, answers);
    for (size_t l = 0; l < labels_.size(); ++l) {
      std::vector<float> column;
      column.reserve(scores.size());
      for (const auto& row : scores) column.push_back(row[l]);
      out.set(("score " + labels_[l]).c_str(), write(column, {int64_t(column.size())}));
    }
    return out;
  }

  Batch generated(const Train& train, const std::vector<Asked>& rows) const {
    std::vector<std::string> prompts, answers;
    for (const Asked& row : rows) prompts.push_back(row.prompt);
    const Batch asked = train.batch();
    train.set_tokens(asked, "prompt", prompts);
    const Batch said =
        train.generate(train.model("policy"), asked,
                       {attr("answers", int64_t{1}), attr("max_tokens", o_.max_tokens), attr("temperature", 0.0)});
    for (size_t e = 0; e < rows.size(); ++e) {
      const std::string_view text = from_first_letter(said.text("text", int64_t(e)));
      std::string answer = "no label";
      size_t longest = 0;  // of two labels where one begins with the other
      for (size_t l = 0; l < words_.size(); ++l)
        if (const std::string_view word = from_first_letter(words_[l]); text.starts_with(word) && word.size() > longest)
          answer = labels_[l], longest = word.size();
      answers.push_back(std::move(answer));
    }
    const Batch out = written(train, rows, answers);
    for (size_t e = 0; e < rows.size(); ++e) out.set("text", int64_t(e), said.text("text", int64_t(e)));
    return out;
  }

  static std::string_view from_first_letter(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \n\t"), text.size()));
    return text;
  }

  static Batch written(const Train& train, const std::vector<Asked>& rows, const std::vector<std::string>& answers) {
    const Batch out = train.batch();
    std::vector<float> right;
    for (size_t e = 0; e < rows.size(); ++e) {
      out.set("prompt", int64_t(e), rows[e].prompt);
      out.set("label", int64_t(e), rows[e].label);
      out.set("answer", int64_t(e), answers[e]);
      right.push_back(rows[e].label == answers[e]);
    }
    out.set("right", cast(write(right, {int64_t(right.size())}), RGM_I32));
    return out;
  }

  Options o_;
  Template template_;
  std::vector<std::string> labels_, words_;
};

constexpr rgm_component prompting = strategy<Prompting>("prompting", "1.0.0", "Asks a model, and trains nothing");
RGM_PLUGIN("prompting", "1.0.0", "", &prompting);
