#include "config/wipe_value.hpp"

#include <dynconf/secret.hpp>

#include "wire/overloaded.hpp"

#include <nlohmann/json.hpp>
#include <openssl/crypto.h>

#include <new>
#include <vector>

namespace dynconf::detail {

namespace {

using json = nlohmann::json;

template <class Number> void wipe_number(Number& n) noexcept { OPENSSL_cleanse(&n, sizeof n); }

void wipe_leaf(json& leaf) {
    switch (leaf.type()) {
        case json::value_t::string: return wipe(leaf.get_ref<std::string&>());
        case json::value_t::binary: return OPENSSL_cleanse(leaf.get_binary().data(), leaf.get_binary().size());
        case json::value_t::boolean: return wipe_number(leaf.get_ref<json::boolean_t&>());
        case json::value_t::number_integer: return wipe_number(leaf.get_ref<json::number_integer_t&>());
        case json::value_t::number_unsigned: return wipe_number(leaf.get_ref<json::number_unsigned_t&>());
        case json::value_t::number_float: return wipe_number(leaf.get_ref<json::number_float_t&>());
        default: return;
    }
}

}  // namespace

void wipe_document(json& document) noexcept {
    try {
        std::vector<json*> open{&document};   // a schema of the user's own may make one of any depth
        while (!open.empty()) {
            json& next = *open.back();
            open.pop_back();
            if (!next.is_structured()) wipe_leaf(next);
            else for (json& inner : next) open.push_back(&inner);
        }
    } catch (const std::bad_alloc&) {   // then it is freed as it is
    }
}

void wipe_value(value& v) noexcept {
    // The value is not constant, nor are documents where the library makes them (config/json.hpp).
    std::visit(wire::overloaded{
        [](std::monostate) {},
        [](std::string& text) { wipe(text); },
        [](value::list_type& items) { for (std::string& item : items) wipe(item); },
        [](value::json_type& document) { if (document.use_count() == 1) wipe_document(const_cast<json&>(*document)); },
        [](auto& number) { wipe_number(number); },
    }, const_cast<value::storage&>(v.data()));
}

}  // namespace dynconf::detail
