#include <dynconf/config/source.hpp>

#include "policy/key_space.hpp"

#include <optional>
#include <utility>

namespace dynconf {

source::~source() = default;

std::vector<key_range> source::absolute(std::vector<key_range> ranges) const { return ranges; }

void source::close() noexcept {}

namespace {

class etcd_mirror final : public source {
public:
    explicit etcd_mirror(client c) : client_(std::move(c)) {}

    void open(std::vector<key_range> ranges, const known_content* known) override {
        if (known) mirror_.emplace(client_, std::move(ranges), *known);
        else mirror_.emplace(client_, std::move(ranges));
    }
    boost::asio::awaitable<mirror_step> next() override { return mirror_->next(); }
    std::vector<key_range> absolute(std::vector<key_range> ranges) const override {
        return policy::key_space(client_.prefix()).to_etcd(std::move(ranges));
    }
    void close() noexcept override { mirror_.reset(); }   // with the watch's connection

private:
    client client_;
    std::optional<mirror> mirror_;
};

}  // namespace

std::shared_ptr<source> etcd_source(client c) { return std::make_shared<etcd_mirror>(std::move(c)); }

}  // namespace dynconf
