// members.hpp - the members of config.json, with checked types; it remembers which of them somebody asked for.
#pragma once
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "model/family.hpp"

namespace rgm {

class Members {
 public:
  using Json = nlohmann::json;
  // Borrows both.
  Members(const Json& json, const std::string& where);
  const std::string& where() const { return where_; }
  const Json* find(const char* key) const;  // NULL: there is none
  bool has(const char* key) const;          // and it is not null
  const Json& operator[](const char* key) const { return json_[key]; }
  bool asked_for(const std::string& key) const { return asked_.contains(key); }

  int64_t size(const char* key) const;  // from 1
  int64_t size(const char* key, int64_t otherwise) const { return has(key) ? size(key) : otherwise; }
  double real(const char* key, double otherwise) const;
  bool flag(const char* key, bool otherwise) const;
  std::string text(const char* key, const std::string& otherwise) const;
  // What would change the numbers and is not offered here.
  void must_be(const char* key, std::initializer_list<Json> values) const;

 private:
  const Json& json_;
  const std::string& where_;
  mutable std::set<std::string> asked_;
};

// The parts of config.json that families share; each reads and writes its own members.
void read_rope(const Members& members, ModelConfig& config);
void write_rope(const ModelConfig& config, nlohmann::json& out);
void read_turned(const Members& members, ModelConfig& config);  // which layers turn positions; before their windows
void write_turned(const ModelConfig& config, nlohmann::json& out);
void read_windows(const Members& members, ModelConfig& config);
void write_windows(const ModelConfig& config, nlohmann::json& out);
void read_attention_types(const Members& members, ModelConfig& config);  // windows of GPT-Neo
void write_attention_types(const ModelConfig& config, nlohmann::json& out);
void read_experts(const Members& members, ModelConfig& config);
void write_experts(const ModelConfig& config, nlohmann::json& out);
void read_head(const Members& members, ModelConfig& config);  // one of the model's own, beside that over tokens
void write_head(const ModelConfig& config, nlohmann::json& out);

}  // namespace rgm
