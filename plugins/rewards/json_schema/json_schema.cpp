// json_schema.cpp - a reward that is a rule: 1 for an answer that is JSON and fits a schema, `valid_json` for one that
// is JSON but does not fit, 0 for one that is none. A part of JSON Schema: type, enum, const, properties, required,
// additionalProperties (true or false), items (one schema), minItems, maxItems, minimum, maximum, minLength, maxLength
// (in bytes). A schema that asks for something else is refused, not half understood.
#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regimen/regimen.hpp>
using namespace regimen;
using nlohmann::json;

struct JsonSchemaOptions {
  std::string_view schema, file;
  double valid_json = 0;

  using O = JsonSchemaOptions;
  static constexpr auto list =
      options(option("schema", &O::schema, "the schema, as JSON text"),
              option("file", &O::file, "a file with the schema instead").flag(RGM_PATH),
              option("valid_json", &O::valid_json, "score of valid JSON that does not fit").range(0, 1));
};

class JsonSchema {
 public:
  using Options = JsonSchemaOptions;
  static constexpr std::array<rgm_column, 0> columns{};

  explicit JsonSchema(const Options& o) : valid_json_(float(o.valid_json)) {
    require(o.schema.empty() || o.file.empty(), "json_schema: give `schema` or `file`, not both");
    std::string text(o.schema);
    if (!o.file.empty()) {
      std::ifstream in{std::string(o.file)};
      text.assign(std::istreambuf_iterator<char>(in), {});
    }
    schema_ = json::parse(text.empty() ? "{}" : text, nullptr, false);
    require(!schema_.is_discarded(), "json_schema: the schema is not valid JSON: " + text.substr(0, 60));
    check_known(schema_);
  }

  float score(const Completion& c) const {
    const json answer = json::parse(c.text().begin(), c.text().end(), nullptr, false);
    if (answer.is_discarded()) return 0;
    return fits(answer, schema_) ? 1 : valid_json_;
  }

 private:
  static void check_known(const json& schema) {
    static constexpr std::array known = {"type",
                                         "enum",
                                         "const",
                                         "properties",
                                         "required",
                                         "items",
                                         "minItems",
                                         "maxItems",
                                         "minimum",
                                         "maximum",
                                         "minLength",
                                         "maxLength",
                                         "additionalProperties"};
    static constexpr std::array said = {"$schema", "$id", "title", "description", "default", "examples"};
    require(schema.is_object(), "json_schema: " + schema.dump().substr(0, 60) + " is not a schema, which is an object");
    const auto among = [](const auto& words, const std::string& key) {
      return std::find(words.begin(), words.end(), key) != words.end();
    };
    for (const auto& [key, value] : schema.items())
      require(among(known, key) || among(said, key),
              "json_schema: \"" + key + "\" is not supported; docs/rlhf.md lists the parts of JSON Schema that are");
    check_values(schema);
    if (schema.contains("items")) check_known(schema["items"]);
    if (schema.contains("properties"))
      for (const auto& [name, property] : schema["properties"].items()) check_known(property);
  }

  static void check_values(const json& schema) {
    const auto each = [&](std::initializer_list<const char*> keys, const char* wanted, auto&& fits) {
      for (const char* key : keys)
        if (const auto found = schema.find(key); found != schema.end())
          require(fits(*found), std::string("json_schema: ") + key + " is " + found->dump().substr(0, 60) + ", " +
                                    wanted + " was expected");
    };
    const auto is_type = [](const json& x) {
      static constexpr std::array types = {"object", "array", "string", "number", "integer", "boolean", "null"};
      return x.is_string() && std::find(types.begin(), types.end(), x.get_ref<const std::string&>()) != types.end();
    };
    const auto all = [](const json& list, auto&& is) {
      return list.is_array() && std::all_of(list.begin(), list.end(), is);
    };
    each({"type"}, "object, array, string, number, integer, boolean or null, or a list of them",
         [&](const json& x) { return is_type(x) || all(x, is_type); });
    each({"minimum", "maximum"}, "a number", [](const json& x) { return x.is_number(); });
    each({"minItems", "maxItems", "minLength", "maxLength"}, "a whole number from 0 on",
         [](const json& x) { return x.is_number() && x.get<double>() >= 0 && is(x, "integer"); });
    each({"enum"}, "a list", [](const json& x) { return x.is_array(); });
    each({"required"}, "a list of names",
         [&](const json& x) { return all(x, [](const json& name) { return name.is_string(); }); });
    each({"properties"}, "an object", [](const json& x) { return x.is_object(); });
    each({"additionalProperties"}, "true or false", [](const json& x) { return x.is_boolean(); });
  }

  static bool is(const json& x, const std::string& type) {
    if (type == "integer")
      return x.is_number_integer() || (x.is_number() && x.get<double>() == std::trunc(x.get<double>()));
    if (type == "number") return x.is_number();
    return type == x.type_name();  // object, array, string, boolean, null
  }
  static bool has_type(const json& x, const json& types) {
    if (types.is_string()) return is(x, types.get<std::string>());
    return std::any_of(types.begin(), types.end(), [&](const json& t) { return is(x, t.get<std::string>()); });
  }
  // Whether the schema's limits, where it has them, hold for n.
  static bool within(double n, const json& schema, const char* least, const char* most) {
    return (!schema.contains(least) || n >= schema[least].get<double>()) &&
           (!schema.contains(most) || n <= schema[most].get<double>());
  }

  static bool fits(const json& x, const json& s) {
    if (s.contains("type") && !has_type(x, s["type"])) return false;
    if (s.contains("const") && x != s["const"]) return false;
    if (s.contains("enum") && std::find(s["enum"].begin(), s["enum"].end(), x) == s["enum"].end()) return false;
    if (x.is_number() && !within(x.get<double>(), s, "minimum", "maximum")) return false;
    if (x.is_string() && !within(double(x.get_ref<const std::string&>().size()), s, "minLength", "maxLength"))
      return false;
    if (x.is_array()) {
      if (!within(double(x.size()), s, "minItems", "maxItems")) return false;
      return !s.contains("items") ||
             std::all_of(x.begin(), x.end(), [&](const json& i) { return fits(i, s["items"]); });
    }
    return !x.is_object() || object_fits(x, s);
  }
  static bool object_fits(const json& x, const json& s) {
    for (const json& name : s.value("required", json::array()))
      if (!x.contains(name.get<std::string>())) return false;
    const json properties = s.value("properties", json::object());
    for (const auto& [name, value] : x.items())
      if (properties.contains(name) ? !fits(value, properties[name]) : !s.value("additionalProperties", true))
        return false;
    return true;
  }

  json schema_;
  float valid_json_;
};

constexpr rgm_component json_schema = reward<JsonSchema>("json_schema", "1.0.0", "1 for JSON that fits a schema");
RGM_PLUGIN("json_schema", "1.0.0", "", &json_schema);
