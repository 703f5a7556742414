// rank_page_test.cpp - the page of `regimen rank` in a browser: with a real drag, ties, by keys alone, through a reload
// and a kill.
#include <gmock/gmock.h>

#include <csignal>

#include "cli/rank_command.hpp"

namespace rgm {
namespace {

using testing::HasSubstr;

TEST_F(RankBrowser, AnswersAreDraggedTiedSavedAndThereAfterAReloadAndAKill) {
  browser_->go(serve({"--rater", "Ada"}));
  ASSERT_TRUE(is_at("first"));
  EXPECT_EQ(order(), "ABCD");
  EXPECT_EQ(browser_->evaluate("document.querySelectorAll('li img').length"), 0) << "an answer is text";
  EXPECT_THAT(browser_->evaluate("document.querySelector('li pre').textContent").get<std::string>(),
              HasSubstr("<img src=x"));
  browser_->drag(card(3, " .grip"), card(1), 0.05);
  ASSERT_TRUE(browser_->wait_for("document.querySelector('li .letter').textContent === 'C'"));
  EXPECT_EQ(order(), "CABD");
  browser_->drag(card(4, " .grip"), card(3), 0.5);  // onto: D ties with B
  ASSERT_TRUE(browser_->wait_for("document.querySelectorAll('li.tied').length === 1"));
  EXPECT_EQ(order(), "CABD");
  EXPECT_EQ(ranks(), "1233");
  ASSERT_EQ(browser_->evaluate("line.then(() => true)"), true);
  browser_->call("Page.reload");
  ASSERT_TRUE(is_at("first"));
  EXPECT_EQ(ranks(), "1233") << "the draft came back";
  EXPECT_TRUE(rankings().empty()) << "a draft is no ranking";
  browser_->evaluate("document.querySelector('#save').click()");
  ASSERT_TRUE(is_at("second"));
  ASSERT_EQ(rankings().size(), 1U);
  EXPECT_EQ(rankings()[0]["ranks"], nlohmann::json({2, 3, 1, 3}));
  EXPECT_EQ(browser_->evaluate("document.title"), "2 of 3 · Ranking") << "nothing that a model wrote has run";

  EXPECT_EQ(stop(SIGKILL), 128 + SIGKILL);
  browser_->go(serve({"--rater", "Ada"}));
  ASSERT_TRUE(is_at("second")) << "the next one is where it was";
  EXPECT_THAT(browser_->evaluate("document.querySelector('#count').textContent").get<std::string>(),
              HasSubstr("1 of 3"));
}

TEST_F(RankBrowser, KeysAloneAreEnough) {
  browser_->go(serve());
  ASSERT_TRUE(browser_->wait_for("document.querySelector('#ask-name')?.open"));
  browser_->type("Bo");
  browser_->key("Enter", "\r");
  ASSERT_TRUE(is_at("first"));
  browser_->key("ArrowDown");
  browser_->key("ArrowUp", "", Browser::shift);  // B before A
  ASSERT_TRUE(browser_->wait_for("document.querySelector('li .letter').textContent === 'B'"));
  browser_->key("ArrowDown");
  browser_->key("ArrowDown");
  browser_->key("=", "=");  // C ties with A
  ASSERT_TRUE(browser_->wait_for("document.querySelectorAll('li.tied').length === 1"));
  EXPECT_EQ(order(), "BACD");
  EXPECT_EQ(ranks(), "1223");
  browser_->key("n", "n");
  browser_->type("close");
  browser_->key("Escape");
  browser_->key("Enter", "\r");
  ASSERT_TRUE(is_at("second"));
  browser_->key("s", "s");
  ASSERT_TRUE(is_at("third"));
  browser_->key("u", "u");
  ASSERT_TRUE(is_at("second")) << "the skip was taken back";
  browser_->key("Enter", "\r");
  ASSERT_TRUE(is_at("third"));
  browser_->key("Enter", "\r");
  ASSERT_TRUE(browser_->wait_for("!document.querySelector('#done').hidden"));
  const auto rows = rankings();
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0]["ranks"], nlohmann::json({2, 1, 2, 3}));
  EXPECT_EQ(rows[0]["note"], "close");
  EXPECT_EQ(rows[0]["rater"], "Bo");
  EXPECT_EQ(rows[1]["ranks"], nlohmann::json({1, 2, 3, 4}));
}

TEST_F(RankBrowser, OnlyWhatIsSeenIsJudged) {
  browser_->go(serve({"--rater", "Ada"}));
  ASSERT_TRUE(is_at("first"));
  browser_->hold("Enter", "\r", 10);
  ASSERT_TRUE(is_at("second"));
  ASSERT_EQ(browser_->evaluate("line.then(() => true)"), true);
  EXPECT_EQ(rankings().size(), 1U);
  // Twice before the first is answered, and a note that is written in between.
  browser_->evaluate("save(); save(); tie(1); move(0, 1); join(0, 2); at('note').value = 'of the third'");
  ASSERT_TRUE(is_at("third"));
  ASSERT_EQ(browser_->evaluate("line.then(() => true)"), true);
  ASSERT_EQ(rankings().size(), 2U);
  EXPECT_EQ(rankings()[1]["note"], "");
  EXPECT_EQ(browser_->evaluate("ask('/item', {index: 1}).then((i) => i.order.join('') + i.ties.includes(true))"),
            "0123false")
      << "no draft came behind the judgement";
  const auto is_taken_when_held = [&](const std::string& key) {
    return browser_->evaluate("!document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '" + key +
                              "', repeat: true, bubbles: true, cancelable: true}))");
  };
  EXPECT_EQ(is_taken_when_held("s"), true);
  for (const char* key : {"PageDown", " ", "Tab"}) EXPECT_EQ(is_taken_when_held(key), false) << key;
  browser_->evaluate("save()");
  ASSERT_TRUE(browser_->wait_for("!document.querySelector('#done').hidden")) << "the next one may be judged";
}

TEST_F(RankBrowser, AClickBehindANoteCounts) {
  browser_->go(serve({"--rater", "Ada"}));
  ASSERT_TRUE(is_at("first"));
  browser_->key("n", "n");
  browser_->type("close");
  browser_->drag(card(2, " .relation"), card(2, " .relation"), 0.5);
  ASSERT_TRUE(browser_->wait_for("document.querySelectorAll('li.tied').length === 1"));
  browser_->evaluate("save()");
  ASSERT_TRUE(is_at("second"));
  EXPECT_EQ(rankings()[0]["ranks"], nlohmann::json({1, 1, 2, 3}));
  EXPECT_EQ(rankings()[0]["note"], "close");
}

TEST_F(RankBrowser, ANameIsAskedForUntilOneCanBeKept) {
  browser_->go(serve());
  ASSERT_TRUE(browser_->wait_for("document.querySelector('#ask-name')?.open"));
  browser_->key("Escape");
  browser_->key("Escape");
  ASSERT_TRUE(browser_->wait_for("document.querySelector('#ask-name').open"));
  browser_->evaluate("document.querySelector('#name').focus(); document.querySelector('#name').value = ''");
  const auto refused = [&](const std::string& name, const std::string& why) {
    browser_->type(name);
    browser_->key("Enter", "\r");
    EXPECT_TRUE(browser_->wait_for("document.querySelector('#name').validationMessage.includes('" + why + "')"));
    EXPECT_EQ(browser_->evaluate("document.querySelector('#ask-name').open"), true);
    browser_->evaluate("document.querySelector('#name').value = ''");
  };
  refused(" ", "name is blank");
  std::string name;
  for (int i = 0; i < 40; ++i) name += "\u6c34";
  refused(name, "120 bytes of at most 100");
  browser_->type("Bo");
  browser_->key("Enter", "\r");
  ASSERT_TRUE(is_at("first"));
  EXPECT_EQ(browser_->evaluate("say.timer > 0"), true) << "what was wrong goes once something has gone well";
}

TEST_F(RankBrowser, TheAddressIsGoodOnce) {
  const std::string address = serve({"--rater", "Ada"});
  browser_->go(address);
  ASSERT_TRUE(is_at("first"));
  browser_->call("Network.clearBrowserCookies");
  browser_->go(address);
  ASSERT_TRUE(browser_->wait_for("document.body?.textContent.includes('works only once')"));
}

}  // namespace
}  // namespace rgm
