package s3

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/starlift-etl/starlift/pipeline/spec"
)

// ReaderConfig is what a pipeline file says of S3, beside region, endpoint and credentials, where
// objects are read. Nodes have it below the key s3.
type ReaderConfig struct {
	PathStyle    *bool  `yaml:"path_style" change:"free" desc:"Whether the bucket's name goes into the path of requests, and not into the host's name. By default where the endpoint is not AWS's own."`
	RequestPayer string `yaml:"request_payer" enum:"requester" change:"free" desc:"requester: the credentials' account pays for requests and transfer, as buckets with Requester Pays demand."`
	BucketOwner  string `yaml:"bucket_owner" pattern:"^[0-9]{12}$" form:"an account number of 12 digits" change:"free" desc:"The account that the bucket has to belong to: requests to another one's bucket of this name are refused."`
	Checksum     string `yaml:"checksum" default:"when_supported" enum:"when_supported,when_required" change:"free" desc:"when_supported: contents are compared by CRC-64/NVME on both sides. when_required: for servers that know no checksum headers, by Content-MD5, and on the way up only."`
}

// WriterConfig is what it says where objects are written.
type WriterConfig struct {
	ReaderConfig
	SSE          string            `yaml:"sse" enum:"AES256,aws:kms,aws:kms:dsse" change:"free" desc:"How the server encrypts objects. By default as the bucket says."`
	KMSKey       string            `yaml:"kms_key" change:"free" desc:"The KMS key for aws:kms: its ID, ARN, or alias/NAME. By default the account's key for S3."`
	StorageClass string            `yaml:"storage_class" enum:"STANDARD,STANDARD_IA,ONEZONE_IA,INTELLIGENT_TIERING,GLACIER_IR" change:"free" desc:"The storage class of objects; those that have to be restored before they can be read are none. By default STANDARD."`
	Tags         map[string]string `yaml:"tags" change:"free" desc:"Tags of objects, 10 at most: for lifecycle rules, say."`
	PartSize     spec.Bytes        `yaml:"part_size" default:"16MiB" min:"5MiB" max:"5GiB" change:"free" desc:"Larger files are sent in parts of this size, four at a time; they get larger where 10,000 of them would not do."`
}

// Limits of S3 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
const (
	mostParts     = 10_000
	leastPartSize = 5 << 20
	mostPartSize  = 5 << 30 // and of what is sent as a whole
	mostKeyBytes  = 1024
	mostTags      = 10
	mostTagKey    = 128 // characters
	mostTagValue  = 256
)

// whenRequired is the value of checksum for servers that know none.
const whenRequired = "when_required"

const defaultPartSize = 16 << 20

// Check returns the mistakes, as spec.FieldErrors whose paths begin with the one given.
func (c *WriterConfig) Check(path ...string) (errs []error) {
	wrong := func(message string, at ...string) {
		errs = append(errs, &spec.FieldError{Path: append(slices.Clone(path), at...), Message: message})
	}
	if c.KMSKey != "" && c.SSE != "aws:kms" && c.SSE != "aws:kms:dsse" {
		wrong("kms_key needs sse: aws:kms", "kms_key")
	}
	if c.PartSize != 0 && (c.PartSize < leastPartSize || c.PartSize > mostPartSize) {
		wrong("S3 takes parts of 5 MiB to 5 GiB", "part_size")
	}
	if len(c.Tags) > mostTags {
		wrong(fmt.Sprintf("these are %d tags, and an object has 10 at most", len(c.Tags)), "tags")
	}
	for _, key := range slices.Sorted(maps.Keys(c.Tags)) {
		switch value := c.Tags[key]; {
		case key == "" || utf8.RuneCountInString(key) > mostTagKey:
			wrong("the name of a tag has 1 to 128 characters", "tags", key)
		case utf8.RuneCountInString(value) > mostTagValue:
			wrong("the value of a tag has at most 256 characters", "tags", key)
		}
	}
	return errs
}

// part is the size of parts, where there are not too many of them.
func (c *WriterConfig) part() int64 { return cmp.Or(int64(c.PartSize), defaultPartSize) }

// partSize returns the size of the parts in which a file of so many bytes is sent; 0 = it is
// sent as a whole.
func (c *WriterConfig) partSize(size int64) int64 {
	part := c.part()
	if size <= part {
		return 0
	}
	// To a whole MiB, so that the size of parts changes rarely with that of files.
	if least := (size + mostParts - 1) / mostParts; part < least {
		part = (least + 1<<20 - 1) &^ (1<<20 - 1)
	}
	return part
}
