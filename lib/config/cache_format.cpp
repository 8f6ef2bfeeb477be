#include "config/cache_format.hpp"

#include <dynconf/secret.hpp>

#include "config/wipe_value.hpp"
#include "wire/quote.hpp"

#include <nlohmann/json.hpp>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <new>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace dynconf::detail {

namespace {

using json = nlohmann::json;
using bytes_view = std::span<const std::uint8_t>;
using milliseconds = std::chrono::milliseconds;

constexpr std::string_view magic = "DYNCONF\n";
constexpr std::size_t length_size = 4;
constexpr std::size_t digest_size = 32;
constexpr std::int64_t format_version = 1;
constexpr std::string_view plain = "cbor", sealed = "sealed";
/// In place of a key of etcd: no value of etcd can be taken for a copy, nor a copy for one.
constexpr std::string_view sealed_as("\0dynconf: the last good content", 31);

// Positions in the array of a key; the last two only for one that was refused.
constexpr std::size_t at_key = 0, at_revision = 1, at_value = 2, at_good_revision = 3, at_good_value = 4;

using digest = std::array<std::uint8_t, digest_size>;

digest digest_of(bytes_view data) {
    digest out{};
    unsigned size = 0;
    if (EVP_Digest(data.data(), data.size(), out.data(), &size, EVP_sha256(), nullptr) != 1 || size != out.size())
        throw std::bad_alloc();   // the only way in which it can fail
    return out;
}

json binary(std::string_view text) { return json::binary({text.begin(), text.end()}); }

/// Whether nlohmann's reader can be let loose on it: that recurses for each level and for each indefinite length within
/// another, and takes counts as they come. Only what the writer here uses passes.
bool is_tame(bytes_view in) {
    constexpr std::size_t deepest = 4;
    std::array<std::uint64_t, deepest + 1> left{1};   // items that each open level still needs
    std::size_t depth = 0;
    for (;;) {
        if (left[depth] == 0) {
            if (depth == 0) return in.empty();
            --depth;
            continue;
        }
        --left[depth];
        if (in.empty()) return false;
        const unsigned major = in[0] >> 5, info = in[0] & 31u;
        in = in.subspan(1);
        std::uint64_t argument = info;
        if (info >= 24) {
            if (info > 27) return false;
            const std::size_t size = std::size_t{1} << (info - 24);
            if (in.size() < size) return false;
            argument = 0;
            for (std::size_t i = 0; i < size; ++i) argument = argument << 8 | in[i];
            in = in.subspan(size);
        }
        switch (major) {
            case 0:
            case 1: break;
            case 2:
            case 3:
                if (argument > in.size()) return false;
                in = in.subspan(static_cast<std::size_t>(argument));
                break;
            case 4:
            case 5:
                if (argument > in.size() || depth == deepest) return false;
                left[++depth] = major == 4 ? argument : 2 * argument;
                break;
            case 6: return false;
            default:
                if (info < 20 || info > 22) return false;   // false, true, null
        }
    }
}

std::optional<json> parse(bytes_view in) {
    if (!is_tame(in)) return std::nullopt;
    const auto* text = reinterpret_cast<const char*>(in.data());   // libc++ has no char_traits of any other byte
    json parsed = json::from_cbor(text, text + in.size(), true, false);
    if (parsed.is_discarded()) return std::nullopt;
    return parsed;
}

std::optional<std::int64_t> integer(const json& from) {
    if (from.is_number_unsigned()) {
        const auto n = from.get_ref<const json::number_unsigned_t&>();
        if (n > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
        return static_cast<std::int64_t>(n);
    }
    if (from.is_number_integer()) return from.get_ref<const json::number_integer_t&>();
    return std::nullopt;
}

std::optional<std::string> text(const json& from) {
    if (!from.is_binary()) return std::nullopt;
    const json::binary_t& b = from.get_binary();
    return std::string(b.begin(), b.end());
}

std::optional<kept_key::text> kept_text(const json& revision, const json& value) {
    const auto n = integer(revision);
    auto t = text(value);
    if (!n || *n <= 0 || !t) return std::nullopt;
    return kept_key::text{std::move(*t), *n};
}

std::optional<kept_key> kept(const json& item) {
    if (!item.is_array() || (item.size() != at_good_revision && item.size() != at_good_value + 1)) return std::nullopt;
    kept_key k;
    auto key = text(item[at_key]);
    if (!key || key->empty()) return std::nullopt;
    k.key = std::move(*key);
    if (!item[at_value].is_null()) {
        k.now = kept_text(item[at_revision], item[at_value]);
        if (!k.now) return std::nullopt;
    }
    if (item.size() > at_good_revision) {
        k.last_good = kept_text(item[at_good_revision], item[at_good_value]);
        if (!k.last_good) return std::nullopt;
        k.refused = true;
    }
    if (!k.now && !k.last_good) return std::nullopt;
    return k;
}

json made_of(const kept_key& k) {
    json item = json::array();
    item.push_back(binary(k.key));
    item.push_back(k.now ? k.now->mod_revision : 0);
    item.push_back(k.now ? binary(k.now->value) : json());
    if (k.last_good) {
        item.push_back(k.last_good->mod_revision);
        item.push_back(binary(k.last_good->value));
    }
    return item;
}

/// The header's fields, all of them needed; further ones are no reason to refuse.
bool read_header(const json& header, cache_copy& copy) {
    const auto field = [&header](const char* name) -> const json& {
        static const json none;
        const auto at = header.find(name);
        return at == header.end() ? none : *at;
    };
    const auto revision = integer(field("revision"));
    const auto as_of = integer(field("as_of_ms"));
    const json& cluster = field("cluster_id");
    const json& ranges = field("ranges");
    // There has to be a revision behind it.
    if (!revision || *revision <= 0 || *revision == std::numeric_limits<revision_t>::max()) return false;
    // Up to the year 2255: the system's clock counts nanoseconds.
    if (!as_of || *as_of < 0 || *as_of > 9'000'000'000'000) return false;
    if (!cluster.is_number_unsigned() || !ranges.is_array()) return false;
    copy.content.revision = *revision;
    copy.content.cluster_id = cluster.get_ref<const json::number_unsigned_t&>();
    copy.as_of = std::chrono::system_clock::time_point(milliseconds(*as_of));
    for (const json& range : ranges) {
        if (!range.is_array() || range.size() != 2) return false;
        auto first = text(range[0]);
        auto end = text(range[1]);
        if (!first || !end) return false;
        copy.ranges.push_back(key_range::raw(std::move(*first), std::move(*end)));
    }
    return true;
}

bool read_body(const json& body, cache_copy& copy) {
    if (!body.is_array()) return false;
    copy.content.keys.reserve(body.size());
    std::unordered_set<std::string_view> seen;
    seen.reserve(body.size());
    for (const json& item : body) {
        auto k = kept(item);
        if (!k) return false;
        const auto& stored = copy.content.keys.emplace_back(std::make_shared<const kept_key>(std::move(*k)));
        if (!seen.insert(stored->key).second) return false;
    }
    return true;
}

decoded_cache refused(cache_verdict verdict, std::string why) {
    decoded_cache out;
    out.verdict = verdict;
    out.why = std::move(why);
    return out;
}

std::string_view as_text(bytes_view bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
bytes_view as_bytes(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

cache_bytes begun_with(const json& header) {
    const cache_bytes head = json::to_cbor(header);
    cache_bytes out(magic.begin(), magic.end());
    for (std::size_t i = length_size; i-- > 0;) out.push_back(static_cast<std::uint8_t>(head.size() >> (8 * i)));
    out.insert(out.end(), head.begin(), head.end());
    return out;
}

json header_of(std::string_view encoding) {
    json header = json::object();
    header["format"] = format_version;
    header["encoding"] = encoding;
    return header;
}

cache_bytes in_the_clear(const cache_copy& copy) {
    json header = header_of(plain);
    header["as_of_ms"] = std::chrono::duration_cast<milliseconds>(copy.as_of.time_since_epoch()).count();
    header["revision"] = copy.content.revision;
    header["cluster_id"] = copy.content.cluster_id;
    json& ranges = header["ranges"] = json::array();
    for (const key_range& r : copy.ranges) {
        json range = json::array();
        range.push_back(binary(r.lowest()));
        range.push_back(binary(r.range_end()));
        ranges.push_back(std::move(range));
    }
    json body = json::array();
    body.get_ref<json::array_t&>().reserve(copy.content.keys.size());
    for (const kept_key_ptr& k : copy.content.keys) body.push_back(made_of(*k));

    cache_bytes out = begun_with(header);
    json::to_cbor(body, nlohmann::detail::output_adapter<std::uint8_t>(out));   // appends
    wipe_document(body);
    add_checksum(out);
    return out;
}

struct file_parts {
    json header;
    std::string encoding;
    bytes_view body;
};

/// What stands before the checksum.
result<file_parts> split(bytes_view all, cache_verdict& verdict) {
    const auto no = [&verdict](cache_verdict v, const char* why) {
        verdict = v;
        return error{errc::cache_refused, why};
    };
    if (all.size() < magic.size() + length_size) return no(cache_verdict::damaged, "cut off");
    if (!std::equal(magic.begin(), magic.end(), all.begin())) return no(cache_verdict::unknown_format, "no copy of dynconf's");
    bytes_view rest = all.subspan(magic.size());
    std::size_t length = 0;
    for (std::size_t i = 0; i < length_size; ++i) length = length << 8 | rest[i];
    rest = rest.subspan(length_size);
    if (length > rest.size()) return no(cache_verdict::damaged, "the header is longer than the file");
    auto header = parse(rest.first(length));
    if (!header || !header->is_object()) return no(cache_verdict::damaged, "no header");
    const auto format = header->find("format");
    if (format == header->end() || !format->is_number_integer()) return no(cache_verdict::damaged, "no format in the header");
    if (integer(*format) != format_version) return no(cache_verdict::unknown_format, "a format of another version of dynconf");
    const auto encoding = header->find("encoding");
    if (encoding == header->end() || !encoding->is_string()) return no(cache_verdict::damaged, "no encoding in the header");
    file_parts out;
    out.encoding = encoding->get_ref<const std::string&>();
    out.header = std::move(*header);
    out.body = rest.subspan(length);
    return out;
}

/// One level: what is sealed holds nothing sealed.
decoded_cache decode(bytes_view bytes, const std::optional<key_ring>& ring, bool inside);

decoded_cache decode_sealed(bytes_view body, const std::optional<key_ring>& ring) {
    if (!ring) return refused(cache_verdict::not_opened, "it is sealed, and there is no cache_options::seal");
    auto content = ring->open(sealed_as, as_text(body));
    if (!content && content.error() == errc::unknown_key_id)
        return refused(cache_verdict::not_opened, "sealed with a key that the ring does not have: "
                                                      + wire::quote(sealed_with(as_text(body)).value_or("")));
    if (!content) return refused(cache_verdict::not_opened, "altered, or sealed with another key by that id");
    decoded_cache out = decode(as_bytes(*content), ring, true);
    wipe(*content);
    return out;
}

decoded_cache decode(bytes_view bytes, const std::optional<key_ring>& ring, bool inside) {
    if (bytes.size() < magic.size() + length_size + digest_size) return refused(cache_verdict::damaged, "cut off");
    const bytes_view all = bytes.first(bytes.size() - digest_size);
    const digest sum = digest_of(all);
    if (!std::equal(sum.begin(), sum.end(), bytes.end() - digest_size)) return refused(cache_verdict::damaged, "wrong checksum");
    cache_verdict verdict{};
    const auto parts = split(all, verdict);
    if (!parts) return refused(verdict, parts.error().detail);
    if (parts->encoding == sealed && !inside) return decode_sealed(parts->body, ring);
    if (parts->encoding != plain) return refused(cache_verdict::unknown_format, "an unknown encoding");
    if (ring && !inside) return refused(cache_verdict::not_sealed, "in the clear, and cache_options::seal asks for a sealed one");

    decoded_cache out;
    if (!read_header(parts->header, out.copy)) return refused(cache_verdict::damaged, "a field of the header is missing or makes no sense");
    auto body = parse(parts->body);
    const bool makes_sense = body && read_body(*body, out.copy);
    if (body) wipe_document(*body);
    if (!makes_sense) return refused(cache_verdict::damaged, "the content makes no sense");
    out.verdict = cache_verdict::usable;
    return out;
}

}  // namespace

void add_checksum(cache_bytes& bytes) {
    const digest sum = digest_of(bytes);
    bytes.insert(bytes.end(), sum.begin(), sum.end());
}

cache_bytes encode_cache(const cache_copy& copy, const std::optional<key_ring>& ring) {
    cache_bytes content = in_the_clear(copy);
    if (!ring) return content;
    const std::string body = ring->seal(sealed_as, as_text(content));
    OPENSSL_cleanse(content.data(), content.size());
    cache_bytes out = begun_with(header_of(sealed));
    out.insert(out.end(), body.begin(), body.end());
    add_checksum(out);
    return out;
}

decoded_cache decode_cache(std::span<const std::uint8_t> bytes, const std::optional<key_ring>& ring) { return decode(bytes, ring, false); }

bool begins_sealed(std::span<const std::uint8_t> bytes) {
    cache_verdict verdict{};
    const auto parts = split(bytes, verdict);
    return parts && parts->encoding == sealed;
}

}  // namespace dynconf::detail
