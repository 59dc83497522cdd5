// docs/store-format.md says what the code does.
#include "store/format.hpp"

#include <cstddef>

#include "store/document.hpp"
#include "store/quarantine.hpp"

namespace perdure::store {
namespace {

TEST(Format, Superblock) {
  expect_table("### Superblock",
               {PERDURE_FIELD(Superblock, magic), PERDURE_FIELD(Superblock, version), PERDURE_FIELD(Superblock, partition_count),
                PERDURE_FIELD(Superblock, extent_bytes), PERDURE_FIELD(Superblock, extent_count), PERDURE_FIELD(Superblock, secret),
                PERDURE_FIELD(Superblock, checksum), PERDURE_FIELD(Superblock, boot_id), PERDURE_FIELD(Superblock, last_logical_us),
                PERDURE_FIELD(Superblock, last_wall_us)});
  EXPECT_EQ(magic, 0x0045525544524550U);
  EXPECT_EQ(format_version, 1U);
  EXPECT_EQ(superblock_bytes, 4096U);
  EXPECT_EQ(partitions_max, 1024U);
  EXPECT_EQ(extents_max, 16777215U);
  EXPECT_EQ(default_extent_bytes, 131072U);
  EXPECT_EQ(extent_bytes_min, 4096U);
  EXPECT_EQ(file_bytes_max >> 20, 262143U);
  EXPECT_EQ(Quarantine::files_max, 100U);
}

TEST(Format, ExtentTable) {
  expect_table("### Extent table", {PERDURE_FIELD(ExtentWord, kind), PERDURE_FIELD(ExtentWord, used), PERDURE_FIELD(ExtentWord, partition),
                                    PERDURE_FIELD(ExtentWord, slot_units), PERDURE_FIELD(ExtentWord, layout)});
}

TEST(Format, Records) {
  expect_table("## Records", {PERDURE_FIELD(RecordPrefix, selector), PERDURE_FIELD(RecordPrefix, sent_sequence)});
  expect_table("`h` is the size of the header",
               {PERDURE_FIELD(HeaderPrefix, checksum), PERDURE_FIELD(HeaderPrefix, layout), PERDURE_FIELD(HeaderPrefix, size)});
  EXPECT_EQ(selector_live, 1U);
  EXPECT_EQ(selector_slot, 2U);
  EXPECT_EQ(selector_forward, 4U);
  EXPECT_EQ(sequence_of(~std::uint64_t{7}), ~std::uint64_t{0} >> 3);
  EXPECT_EQ(forward_to(RecordId{0x12345678}), 0x1234567800000005U);
  EXPECT_EQ(forwarded_to(forward_to(RecordId{0x12345678})), RecordId{0x12345678});
  EXPECT_EQ(record_slot_bytes(288), 640U) << "of a transaction";
}

TEST(Format, BlobSlots) {
  EXPECT_EQ(sizeof(BlobPrefix), 8U);
  const auto slot = [](std::uint32_t size) { return blob_slot_bytes(size, default_extent_bytes); };
  EXPECT_EQ(slot(1), 64U);
  EXPECT_EQ(slot(56), 64U);
  EXPECT_EQ(slot(57), 128U);
  EXPECT_EQ(slot(2040), 2048U);
  EXPECT_EQ(slot(2041), 2560U);
  EXPECT_EQ(slot(4088), 4096U);
  EXPECT_EQ(slot(4089), 5120U);
  EXPECT_EQ(slot(8185), 10240U);
  EXPECT_EQ(slot(131064), 131072U);
  EXPECT_EQ(slot(131065), 0U);
}

}  // namespace
}  // namespace perdure::store
