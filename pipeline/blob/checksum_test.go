package blob

import "testing"

// The check value of CRC-64/NVME is that of the catalogue of CRC algorithms
// (https://reveng.sourceforge.io/crc-catalogue/all.htm), ae8b14860a799888.
func TestCRC64NVME(t *testing.T) {
	h := NewCRC64NVME()
	_, err := h.Write([]byte("123456789"))
	if got := ChecksumText(h); err != nil || got != "rosUhgp5mIg=" {
		t.Errorf("got %s, %v", got, err)
	}
}
