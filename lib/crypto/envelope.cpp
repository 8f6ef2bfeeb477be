#include "crypto/envelope.hpp"

#include <dynconf/key_ring.hpp>

#include "crypto/aead.hpp"

#include <algorithm>

namespace dynconf::crypto {

namespace {

using namespace std::string_view_literals;

constexpr auto magic = "\xDC\x53\x56"sv;
constexpr char version = 1;
constexpr std::size_t fixed_header = magic.size() + 2;

/// What is authenticated beside the value. The header says how long it is itself, so no other pair makes the same bytes.
std::string associated(std::string_view header, std::string_view key) {
    std::string out(header);
    out += key;
    return out;
}

}  // namespace

bool is_key_id(std::string_view text) noexcept {
    const auto visible = [](char c) { return c > ' ' && c <= '~'; };
    return !text.empty() && text.size() <= key_ring::most_id_size && std::all_of(text.begin(), text.end(), visible);
}

bool begins_as_envelope(std::string_view value) noexcept { return value.starts_with(magic); }

result<envelope> parse_envelope(std::string_view value) {
    if (!begins_as_envelope(value)) return error{errc::not_sealed, {}};
    if (value.size() < fixed_header) return error{errc::seal_broken, {}};
    if (value[magic.size()] != version) return error{errc::unsupported_seal, {}};
    const std::size_t id_size = static_cast<unsigned char>(value[magic.size() + 1]);
    if (value.size() < envelope_overhead(id_size)) return error{errc::seal_broken, {}};
    envelope e;
    e.header = value.substr(0, fixed_header + id_size);
    e.key_id = value.substr(fixed_header, id_size);
    if (!is_key_id(e.key_id)) return error{errc::seal_broken, {}};   // a provider is asked for it, and a log shows it
    e.nonce = value.substr(e.header.size(), xaes_nonce_size);
    e.sealed = value.substr(e.header.size() + xaes_nonce_size);
    return e;
}

std::size_t envelope_overhead(std::size_t key_id_size) noexcept { return fixed_header + key_id_size + xaes_nonce_size + tag_size; }

std::string seal(std::string_view key_id, std::string_view secret_key, std::string_view nonce, std::string_view key, std::string_view value) {
    std::string out;
    out.reserve(envelope_overhead(key_id.size()) + value.size());
    out += magic;
    out += version;
    out += static_cast<char>(key_id.size());
    out += key_id;
    const std::string also = associated(out, key);
    out += nonce;
    out += xaes_seal(secret_key, nonce, value, also);
    return out;
}

std::optional<std::string> open(const envelope& e, std::string_view secret_key, std::string_view key) {
    return xaes_open(secret_key, e.nonce, e.sealed, associated(e.header, key));
}

}  // namespace dynconf::crypto
