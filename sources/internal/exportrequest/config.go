package exportrequest

import (
	"regexp"

	"github.com/starlift-etl/starlift/pipeline/spec"
)

// Config is what a pipeline file says of how exports get to S3. Sources have it at a key of their own.
type Config struct {
	BucketOwner string `yaml:"bucket_owner" change:"free" desc:"The account that has the bucket, as 123456789012, where it is not the table's."`
	Encryption  string `yaml:"encryption" enum:"aes256,kms" change:"free" desc:"How the objects are encrypted: aes256, with keys of S3, or kms. Left out = as the bucket does it."`
	KMSKey      string `yaml:"kms_key" change:"free" desc:"With encryption: kms, the id or ARN of the key. Left out = S3's own in KMS."`
}

var account = regexp.MustCompile(`^[0-9]{12}$`)

// encryptions are the service's words for those of Config.
var encryptions = map[string]string{"": "", "aes256": "AES256", "kms": "KMS"}

// Check returns the mistakes, as spec.FieldErrors.
func (c *Config) Check() (errs []error) {
	if c.BucketOwner != "" && !account.MatchString(c.BucketOwner) {
		errs = append(errs, &spec.FieldError{Path: []string{"bucket_owner"}, Message: "an account is twelve digits, in quotes: \"123456789012\""})
	}
	if _, known := encryptions[c.Encryption]; !known {
		errs = append(errs, &spec.FieldError{Path: []string{"encryption"}, Message: "unknown encryption: want aes256 or kms", Name: c.Encryption, Known: []string{"aes256", "kms"}})
	}
	if c.KMSKey != "" && c.Encryption != "kms" {
		errs = append(errs, &spec.FieldError{Path: []string{"kms_key"}, Message: "kms_key needs encryption: kms"})
	}
	return errs
}

// Destination returns where on S3 exports get, for a url as s3://bucket/prefix. The error says what to
// write instead.
func (c *Config) Destination(url string) (Destination, error) {
	p, err := destinationOf(url)
	p.BucketOwner, p.Encryption, p.KMSKey = c.BucketOwner, encryptions[c.Encryption], c.KMSKey
	return p, err
}
