#include <dynconf/key_ring.hpp>

#include "crypto/aead.hpp"
#include "crypto/envelope.hpp"
#include "crypto/wiped.hpp"
#include "wire/base64.hpp"
#include "wire/quote.hpp"

#include <algorithm>
#include <bitset>
#include <map>
#include <stdexcept>
#include <utility>

namespace dynconf {

namespace {

/// Why these bytes are no key; none: they may be one. Random ones are refused once in 10^10.
std::optional<std::string_view> no_key(std::string_view bytes) {
    if (bytes.empty()) return "empty";
    if (bytes.size() != sealing_key::size) return "not of 32 bytes";
    if (std::count_if(bytes.begin(), bytes.end(), [](char c) { return c >= ' ' && c <= '~'; }) >= 30) return "text, not random bytes";
    std::bitset<256> values;
    std::bitset<256> steps;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        values.set(static_cast<unsigned char>(bytes[i]));
        if (i > 0) steps.set(static_cast<unsigned char>(bytes[i] - bytes[i - 1]));
    }
    if (values.count() < 16) return "bytes that repeat";
    if (steps.count() == 1) return "bytes that count";
    return std::nullopt;
}

[[noreturn]] void refuse(std::string_view why) { throw std::invalid_argument("dynconf: a key that is " + std::string(why)); }

std::optional<unsigned> hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
    return std::nullopt;
}

void check(const std::string& id, const sealing_key& key) {
    if (!crypto::is_key_id(id)) throw std::invalid_argument("dynconf: a key's id has 1 to 64 visible ASCII characters");
    if (key.bytes().empty()) refuse("empty");   // moved from
}

}  // namespace

sealing_key::sealing_key(secret bytes) : bytes_(std::move(bytes)) {
    if (const auto why = no_key(bytes_.reveal())) refuse(*why);
}

sealing_key sealing_key::generate() {
    for (;;) {
        std::string bytes = crypto::random_bytes(size);
        const wiped at_end{bytes};
        if (!no_key(bytes)) return sealing_key(secret(bytes));
    }
}

sealing_key sealing_key::from_base64(const secret& text) {
    if (text.empty()) refuse("empty");
    std::string bytes;
    const wiped at_end{bytes};   // what was decoded of a bad text, too
    bytes.reserve(text.size());   // no second one, which nobody would wipe
    wire::base64_decoder decoder;
    if (!decoder.append(text.reveal(), bytes) || !decoder.finish(bytes)) refuse("no base64");
    return sealing_key(secret(bytes));
}

sealing_key sealing_key::from_hex(const secret& text) {
    const std::string_view digits = text.reveal();
    if (digits.empty()) refuse("empty");
    if (digits.size() != 2 * size) refuse("not of 64 hex digits");
    std::string bytes;
    const wiped at_end{bytes};
    bytes.reserve(size);
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        const auto high = hex_digit(digits[i]);
        const auto low = hex_digit(digits[i + 1]);
        if (!high || !low) refuse("not of 64 hex digits");
        bytes += static_cast<char>(*high << 4 | *low);
    }
    return sealing_key(secret(bytes));
}

secret sealing_key::to_base64() const {
    std::string text = wire::to_base64(bytes_.reveal());
    const wiped at_end{text};
    return secret(text);
}

struct key_ring::content {
    std::string write_id;
    std::map<std::string, sealing_key, std::less<>> keys;
};

key_ring::key_ring(std::string id, sealing_key write_key) {
    check(id, write_key);
    auto made = std::make_shared<content>();
    made->keys.emplace(id, std::move(write_key));
    made->write_id = std::move(id);
    content_ = std::move(made);
}

key_ring key_ring::reading(std::string id, sealing_key key) const {
    check(id, key);
    auto next = std::make_shared<content>(*content_);
    const auto at = next->keys.try_emplace(std::move(id), key).first;
    if (!(at->second == key)) throw std::invalid_argument("dynconf: " + wire::quote(at->first) + " is the id of another key");
    return key_ring(std::move(next));
}

key_ring key_ring::writing(std::string id, sealing_key key) const {
    const key_ring with = reading(id, std::move(key));
    auto next = std::make_shared<content>(*with.content_);
    next->write_id = std::move(id);
    return key_ring(std::move(next));
}

const std::string& key_ring::write_id() const noexcept { return content_->write_id; }
bool key_ring::has(std::string_view id) const noexcept { return content_->keys.find(id) != content_->keys.end(); }

std::vector<std::string> key_ring::ids() const {
    std::vector<std::string> all;
    for (const auto& [id, key] : content_->keys) all.push_back(id);
    return all;
}

std::string key_ring::seal(std::string_view key, std::string_view value) const {
    const auto& [id, with] = *content_->keys.find(content_->write_id);
    return crypto::seal(id, with.bytes().reveal(), crypto::random_bytes(crypto::xaes_nonce_size), key, value);
}

result<std::string> key_ring::open(std::string_view key, std::string_view sealed) const {
    const auto parts = crypto::parse_envelope(sealed);
    if (!parts) return error{parts.error().code, wire::quote(key)};
    const auto with = content_->keys.find(parts->key_id);
    if (with == content_->keys.end()) return error{errc::unknown_key_id, wire::quote(key) + " by " + wire::quote(parts->key_id)};
    auto value = crypto::open(*parts, with->second.bytes().reveal(), key);
    if (!value) return error{errc::seal_broken, wire::quote(key) + " by " + wire::quote(parts->key_id)};
    return std::move(*value);
}

std::size_t key_ring::overhead() const noexcept { return crypto::envelope_overhead(content_->write_id.size()); }

bool is_sealed(std::string_view value) noexcept { return crypto::begins_as_envelope(value); }

std::optional<std::string_view> sealed_with(std::string_view value) noexcept {
    const auto parts = crypto::parse_envelope(value);
    if (!parts) return std::nullopt;
    return parts->key_id;
}

}  // namespace dynconf
